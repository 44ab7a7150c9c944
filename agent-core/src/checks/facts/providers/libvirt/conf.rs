//! libvirt's settings, with what libvirt does where nothing sets them (libvirt 9.0: the comments in its packaged
//! files, and its `qemu_conf.c`).

use super::unit::is_enabled;
use crate::checks::fact::{Found, Unavailable, Value};
use crate::checks::facts::Gather;
use crate::checks::parse::etc::libvirt_conf::{LibvirtConf, Setting, Value as Written};

const FILE_BYTES_MAX: usize = 1 << 20;
const FOLDER: &str = "/etc/libvirt";
/// The action that libvirt's daemons ask polkit for is installed with those that were built to ask.
const POLKIT_ACTION: &str = "/usr/share/polkit-1/actions/org.libvirt.unix.policy";

/// A setting's default.
enum Default {
    Int(i64),
    Text(&'static str),
    /// That of another setting, or a number where that is not set either.
    Follows(&'static str, i64),
    /// Polkit where libvirt was built with it, else none.
    Polkit,
    /// An empty list.
    None,
}

const DEFAULTS: &[(&str, &str, Default)] = &[
    ("qemu.conf", "vnc_listen", Default::Text("127.0.0.1")),
    ("qemu.conf", "vnc_tls", Default::Int(0)),
    ("qemu.conf", "vnc_tls_x509_verify", Default::Follows("default_tls_x509_verify", 0)),
    ("qemu.conf", "vnc_sasl", Default::Int(0)),
    ("qemu.conf", "spice_listen", Default::Text("127.0.0.1")),
    ("qemu.conf", "spice_tls", Default::Int(0)),
    ("qemu.conf", "spice_sasl", Default::Int(0)),
    ("qemu.conf", "migrate_tls_force", Default::Int(0)),
    ("qemu.conf", "migrate_tls_x509_verify", Default::Follows("default_tls_x509_verify", 1)),
    ("qemu.conf", "backup_tls_x509_verify", Default::Follows("default_tls_x509_verify", 1)),
    ("qemu.conf", "chardev_tls_x509_verify", Default::Follows("default_tls_x509_verify", 1)),
    ("qemu.conf", "migration_address", Default::Text("0.0.0.0")),
    ("qemu.conf", "security_default_confined", Default::Int(1)),
    ("qemu.conf", "security_require_confined", Default::Int(0)),
    ("qemu.conf", "seccomp_sandbox", Default::Int(-1)),
    ("qemu.conf", "dynamic_ownership", Default::Int(1)),
    ("qemu.conf", "remember_owner", Default::Int(1)),
    ("qemu.conf", "clear_emulator_capabilities", Default::Int(1)),
    ("qemu.conf", "allow_disk_format_probing", Default::Int(0)),
    ("qemu.conf", "relaxed_acs_check", Default::Int(0)),
    ("daemon", "auth_unix_rw", Default::Polkit),
    ("daemon", "access_drivers", Default::None),
    ("daemon", "audit_level", Default::Int(1)),
    ("daemon", "audit_logging", Default::Int(0)),
    ("remote", "listen_tcp", Default::Int(0)),
    ("remote", "listen_tls", Default::Int(0)),
    ("remote", "auth_tcp", Default::Text("sasl")),
    ("remote", "auth_tls", Default::Text("none")),
    ("remote", "tcp_min_ssf", Default::Int(56)),
    ("remote", "tls_no_verify_certificate", Default::Int(0)),
    ("remote", "tls_no_sanity_certificate", Default::Int(0)),
];

/// `libvirt.installed`
pub(super) fn installed(gather: &Gather, _: &str) -> Found {
    const PLACES: [&str; 5] = [
        "/usr/sbin/libvirtd",
        "/usr/sbin/virtqemud",
        "/etc/libvirt/libvirtd.conf",
        "/etc/libvirt/virtqemud.conf",
        "/etc/libvirt/qemu.conf",
    ];
    for place in PLACES {
        match gather.meta(place) {
            Ok(_) => return Found::value(true, place),
            Err(Unavailable::Absent) => {}
            Err(why) => return Found::unavailable(why, place),
        }
    }
    Found::value(false, "/usr/sbin, /etc/libvirt")
}

/// `libvirt:FILE/KEY`
pub(super) fn setting(gather: &Gather, argument: &str) -> Found {
    let Some((file, key)) = argument.split_once('/') else {
        let why = "libvirt: takes FILE/KEY, such as libvirt:qemu.conf/vnc_listen".to_owned();
        return Found::unavailable(Unavailable::NotExposed(why), FOLDER);
    };
    let there = installed(gather, "");
    if there.value == Ok(Value::from(false)) {
        return Found::unavailable(Unavailable::Absent, FOLDER);
    }
    let files = match file {
        "daemon" => daemons(gather, "virtqemud"),
        "remote" => daemons(gather, "virtproxyd"),
        file => vec![file.to_owned()],
    };
    let mut found: Vec<(String, Found)> = Vec::new();
    for name in files {
        let one = of_file(gather, file, &name, key);
        if one.value.is_err() {
            return one;
        }
        found.push((name, one));
    }
    // Where both kinds of daemon are there and nothing tells which of them runs, both must be right.
    let same = found.windows(2).all(|pair| pair[0].1.value == pair[1].1.value);
    if same && let Some((_, first)) = found.first() {
        return first.clone();
    }
    let source = found.iter().map(|(_, one)| one.source.clone()).collect::<Vec<_>>().join(", ");
    let shown = |one: Found| one.value.map(|value| value.to_string()).unwrap_or_default();
    Found::value(found.into_iter().map(|(name, one)| (name, shown(one))).collect::<Vec<_>>(), source)
}

/// The files of the daemons in use: the one daemon for everything, or one of those that share its work.
fn daemons(gather: &Gather, modular: &str) -> Vec<String> {
    let enabled =
        |name: &str| ["service", "socket"].iter().any(|kind| is_enabled(gather, &format!("{name}.{kind}")));
    let there = |name: &str| gather.meta(&format!("{FOLDER}/{name}.conf")).is_ok();
    let (one, several) = ("libvirtd", "virtqemud");
    let names = match (enabled(one), enabled(several), there(one), there(modular)) {
        (true, false, ..) | (false, false, _, false) => vec![one],
        (false, true, ..) | (false, false, false, true) => vec![modular],
        _ => vec![one, modular],
    };
    names.into_iter().map(|name| format!("{name}.conf")).collect()
}

fn of_file(gather: &Gather, asked: &str, name: &str, key: &str) -> Found {
    let path = format!("{FOLDER}/{name}");
    let parse = |bytes: &[u8]| Ok(LibvirtConf::parse(&String::from_utf8_lossy(bytes)));
    let conf = match gather.document(&path, FILE_BYTES_MAX, parse) {
        Ok(conf) => conf,
        Err(Unavailable::Absent) => return default(None, asked, key, &path, gather),
        Err(why) => return Found::unavailable(why, path),
    };
    if let Some((line, why)) = conf.mistakes.first() {
        let why = format!("{why}; libvirt refuses the file as a whole");
        return Found::unavailable(Unavailable::Malformed(why), format!("{path}:{line}"));
    }
    match conf.get(key) {
        Some(setting) => Found::value(told(setting), format!("{path}:{}", setting.line)),
        None => default(Some(&conf), asked, key, &path, gather),
    }
}

fn default(conf: Option<&LibvirtConf>, asked: &str, key: &str, path: &str, gather: &Gather) -> Found {
    let known = DEFAULTS.iter().find(|(file, name, _)| *file == asked && *name == key);
    let Some((_, _, default)) = known else { return Found::unavailable(Unavailable::Absent, path) };
    let source = format!("libvirt's default ({path} does not set {key})");
    let value = match default {
        Default::Int(number) => Value::Int(*number),
        Default::Text(text) => Value::from(*text),
        Default::None => Value::List(Vec::new()),
        Default::Follows(other, otherwise) => match conf.and_then(|conf| conf.get(other)) {
            Some(setting) => return Found::value(told(setting), format!("{path}:{}", setting.line)),
            None => Value::Int(*otherwise),
        },
        Default::Polkit => match gather.meta(POLKIT_ACTION) {
            Ok(_) => Value::from("polkit"),
            Err(Unavailable::Absent) => Value::from("none"),
            Err(why) => return Found::unavailable(why, POLKIT_ACTION),
        },
    };
    Found::value(value, source)
}

/// A value without what is secret in it.
fn told(setting: &Setting) -> Value {
    let text = |value: &Written| match value {
        Written::Text(text) => text.clone(),
        Written::Number(number) => number.to_string(),
        Written::List(_) => String::new(),
    };
    if setting.name.contains("password") || setting.name.contains("secret") {
        return Value::from("(set)");
    }
    match &setting.value {
        Written::Number(number) => Value::Int(*number),
        Written::Text(text) => Value::from(text.as_str()),
        Written::List(items) => Value::List(items.iter().map(text).collect()),
    }
}

/// `libvirt.sasl`: lines of `key: value`.
pub(super) fn sasl(gather: &Gather, _: &str) -> Found {
    const PATH: &str = "/etc/sasl2/libvirt.conf";
    let text = match gather.text(PATH) {
        Ok(text) => text,
        Err(why) => return Found::unavailable(why, PATH),
    };
    let lines = (1..).zip(text.lines().map(str::trim)).filter(|(_, line)| !line.starts_with('#'));
    let found = lines
        .filter_map(|(number, line)| Some((number, line.split_once(':')?)))
        .filter(|(_, (key, _))| key.trim() == "mech_list")
        .last();
    match found {
        Some((line, (_, list))) => {
            let list: Vec<String> = list.split_ascii_whitespace().map(str::to_ascii_lowercase).collect();
            Found::value(list, format!("{PATH}:{line}"))
        }
        // Cyrus SASL then offers whatever plugin is installed.
        None => Found::unavailable(
            Unavailable::NotExposed("no mech_list: every plugin is offered".to_owned()),
            PATH,
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::Tree;
    use super::*;

    fn get(tree: &Tree, argument: &str) -> Found {
        tree.ask(setting, argument)
    }

    #[test]
    fn a_setting_says_where_it_is_and_a_default_that_it_is_one() {
        let tree = Tree::new(&[(
            "etc/libvirt/qemu.conf",
            "# vnc_listen = \"::1\"\nvnc_listen = \"0.0.0.0\"\nvnc_password = \"TOPSECRET\"\nnamespaces = [ ]\n",
        )]);
        let found = get(&tree, "qemu.conf/vnc_listen");
        assert_eq!(
            (found.value, found.source.as_str()),
            (Ok(Value::from("0.0.0.0")), "/etc/libvirt/qemu.conf:2")
        );
        assert_eq!(get(&tree, "qemu.conf/namespaces").value, Ok(Value::List(Vec::new())));
        let found = get(&tree, "qemu.conf/security_require_confined");
        assert_eq!(found.value, Ok(Value::Int(0)));
        assert!(found.source.contains("default"));
        assert_eq!(get(&tree, "qemu.conf/strange").value, Err(Unavailable::Absent));
        assert_eq!(get(&tree, "qemu.conf/vnc_password").value, Ok(Value::from("(set)")));
    }

    #[test]
    fn what_libvirt_would_refuse_is_not_believed() {
        let tree = Tree::new(&[("etc/libvirt/qemu.conf", "vnc_tls = 1\nvnc_listen = 127.0.0.1\n")]);
        assert!(matches!(get(&tree, "qemu.conf/vnc_tls").value, Err(Unavailable::Malformed(_))));
    }

    #[test]
    fn verification_follows_the_default_of_all() {
        let tree = Tree::new(&[("etc/libvirt/qemu.conf", "default_tls_x509_verify = 0\n")]);
        assert_eq!(get(&tree, "qemu.conf/migrate_tls_x509_verify").value, Ok(Value::Int(0)));
        let tree = Tree::new(&[("etc/libvirt/qemu.conf", "")]);
        assert_eq!(get(&tree, "qemu.conf/migrate_tls_x509_verify").value, Ok(Value::Int(1)));
        assert_eq!(get(&tree, "qemu.conf/vnc_tls_x509_verify").value, Ok(Value::Int(0)));
    }

    #[test]
    fn the_daemon_in_use_is_asked_and_without_libvirt_nothing_is() {
        let files = [
            ("etc/libvirt/libvirtd.conf", "auth_tcp = \"none\"\n"),
            ("etc/libvirt/virtproxyd.conf", "auth_tcp = \"sasl\"\n"),
        ];
        let tree = Tree::new(&files);
        let both = get(&tree, "remote/auth_tcp").value.expect("both").items().join(" ");
        assert_eq!(both, "none sasl", "which one runs is not known: both must be right");
        tree.link(
            "etc/systemd/system/sockets.target.wants/virtqemud.socket",
            "/usr/lib/systemd/system/virtqemud.socket",
        );
        assert_eq!(get(&tree, "remote/auth_tcp").value, Ok(Value::from("sasl")));
        assert_eq!(get(&tree, "daemon/auth_unix_rw").value, Ok(Value::from("none")), "built without polkit");
        assert_eq!(get(&Tree::new(&[]), "remote/auth_tcp").value, Err(Unavailable::Absent));
    }
}
