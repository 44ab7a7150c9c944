//! Folders of the host that a guest sees: QEMU's own (9p), and those that a `virtiofsd` serves.

use super::asked::asked;
use super::domain::running_definition;
use crate::checks::fact::{Found, Unavailable};
use crate::checks::facts::Gather;
use crate::checks::parse::vmm::endpoint::Transport;
use crate::checks::vm::Vm;
use std::sync::Arc;

/// A folder, and how the guest gets it.
type Share = (String, String);

/// `vm.shares`: the folders alone; `vm.shares:how`: by folder, how the guest gets each.
pub(super) fn shares(gather: &Gather, vm: &Arc<Vm>, argument: &str) -> Found {
    let source = vm.proc("cmdline");
    match all(gather, vm) {
        Err(why) => Found::unavailable(why, source),
        Ok(shares) if argument == "how" => Found::value(shares, source),
        Ok(shares) => {
            let mut folders: Vec<String> = shares.into_iter().map(|(folder, _)| folder).collect();
            folders.dedup();
            Found::value(folders, source)
        }
    }
}

fn all(gather: &Gather, vm: &Arc<Vm>) -> Result<Vec<Share>, Unavailable> {
    let asked = asked(gather, vm)?;
    let Some(qemu) = asked.qemu() else { return Ok(Vec::new()) };
    if qemu.reads_config {
        let why = "-readconfig: options come from a file that is not on the command line";
        return Err(Unavailable::NotExposed(why.to_owned()));
    }
    let mode = |read_only: bool| if read_only { "read-only" } else { "writable" };
    let own = qemu.shares.iter().filter_map(|share| {
        let model = share.security_model.as_deref().unwrap_or("none");
        Some((tidy(share.path.as_deref()?), format!("9p, {model}, {}", mode(share.read_only))))
    });
    let mut found: Vec<Share> = own.collect();
    let is_virtiofs = |driver: &str| driver.starts_with("vhost-user-fs");
    if qemu.devices.iter().any(|device| is_virtiofs(&device.driver)) {
        let sockets: Vec<&str> = qemu
            .endpoints
            .iter()
            .filter_map(|endpoint| match &endpoint.transport {
                Transport::Unix(path) => Some(path.as_str()),
                _ => None,
            })
            .collect();
        match running_definition(gather, vm) {
            Ok(domain) => {
                let served =
                    domain.filesystems.iter().filter(|share| share.driver.as_deref() == Some("virtiofs"));
                found.extend(served.filter_map(|share| {
                    Some((tidy(share.source.as_deref()?), format!("virtiofs, {}", mode(share.read_only))))
                }));
            }
            Err(_) => found.extend(served(gather, &sockets)?),
        }
    }
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

/// The folders that some `virtiofsd` serves on one of these sockets.
fn served(gather: &Gather, sockets: &[&str]) -> Result<Vec<Share>, Unavailable> {
    /// Bytes of its command line.
    const BYTES_MAX: usize = 65_536;
    let mut found = Vec::new();
    for pid in gather.host().list("/proc")?.iter().filter(|name| name.parse::<i32>().is_ok()) {
        let is = |comm: &[u8]| comm.starts_with(b"virtiofsd");
        if !gather.host().read(&format!("/proc/{pid}/comm"), 64).is_ok_and(|comm| is(&comm.bytes)) {
            continue;
        }
        let Ok(line) = gather.host().read(&format!("/proc/{pid}/cmdline"), BYTES_MAX) else { continue };
        let line = String::from_utf8_lossy(&line.bytes).into_owned();
        let arguments: Vec<&str> = line.split('\0').collect();
        let option = |name: &str| {
            arguments.iter().enumerate().find_map(|(index, argument)| {
                let rest = argument.strip_prefix(name)?;
                match rest.strip_prefix('=') {
                    Some(value) => Some(value),
                    None if rest.is_empty() => arguments.get(index + 1).copied(),
                    None => None,
                }
            })
        };
        let Some(folder) = option("--shared-dir") else { continue };
        if option("--socket-path").is_some_and(|path| sockets.contains(&path)) {
            let how = if arguments.contains(&"--readonly") { "read-only" } else { "writable" };
            found.push((tidy(folder), format!("virtiofs, {how}")));
        }
    }
    if found.is_empty() {
        let why = "who serves the guest's virtiofs could not be told from any virtiofsd's command line";
        return Err(Unavailable::NotExposed(why.to_owned()));
    }
    Ok(found)
}

/// A folder without slashes at its end.
fn tidy(folder: &str) -> String {
    let short = folder.trim_end_matches('/');
    if short.is_empty() { "/".to_owned() } else { short.to_owned() }
}
