//! Rules about management, packages, logs and log-ins that must reason.

use super::Reason;
use crate::checks::case::Case;
use crate::checks::declared::Truth;
use crate::checks::fact::Value;

/// Reasonings of this module.
pub(super) const TABLE: &[(&str, Reason)] =
    &[("libvirt-tcp-closed", libvirt_tcp_closed), ("ssh-listens-narrowly", ssh_listens_narrowly)];

/// Nothing listens on the port that libvirt has for clear text, wherever it was moved to. The setting `listen_tcp` is
/// no evidence: under socket activation libvirt does not look at it.
fn libvirt_tcp_closed(case: &Case<'_>) -> Result<Truth, Truth> {
    let configured = case.optional("libvirt:remote/tcp_port")?;
    let mut ports: Vec<String> =
        configured.iter().flat_map(Value::items).map(std::borrow::Cow::into_owned).collect();
    if ports.is_empty() {
        ports.push("16509".to_owned());
    }
    let mut open = Vec::new();
    for port in ports {
        let listeners = case.value(&format!("listen.tcp:{port}"))?;
        open.extend(listeners.items().into_iter().map(|address| format!("{address} port {port}")));
    }
    Ok(Truth::of(open.is_empty(), || format!("libvirt can be reached in clear text at {}", open.join(", "))))
}

/// The SSH server listens on addresses that were chosen, and not on all there are: guests' bridges would be among them.
fn ssh_listens_narrowly(case: &Case<'_>) -> Result<Truth, Truth> {
    let configured = case.optional("sshd:Port")?;
    let mut ports: Vec<String> = configured
        .iter()
        .flat_map(Value::items)
        .flat_map(|ports| ports.split_ascii_whitespace().map(str::to_owned).collect::<Vec<_>>())
        .collect();
    if ports.is_empty() {
        ports.push("22".to_owned());
    }
    let (mut wide, mut any) = (Vec::new(), false);
    for port in ports {
        for address in case.value(&format!("listen.tcp:{port}"))?.items() {
            any = true;
            let bare = address.trim_start_matches('[').trim_end_matches(']');
            if matches!(bare, "0.0.0.0" | "::" | "*") {
                wide.push(format!("{address} port {port}"));
            }
        }
    }
    if !any {
        return Ok(Truth::NotApplicable("nothing listens on the SSH server's port".to_owned()));
    }
    Ok(Truth::of(wide.is_empty(), || format!("the SSH server listens on every address: {}", wide.join(", "))))
}
