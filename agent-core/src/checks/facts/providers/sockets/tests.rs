use super::*;
use crate::checks::facts::providers::testing::{self, write};
use crate::checks::host::HostFiles;
use crate::config::Roots;
use crate::sys::clock::Clock;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

const TCP: &str = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n   \
    0: 0100007F:170C 00000000:0000 0A 00000000:00000000 00:00000000 00000000 64055        0 101 1 0 100\n   \
    1: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 102 1 0 100\n   \
    2: 0100007F:170C 0100007F:C350 01 00000000:00000000 00:00000000 00000000     0        0 103 1 0 100\n";
const UNIX: &str = "Num       RefCount Protocol Flags    Type St Inode Path\n\
    0: 00000002 00000000 00010000 0001 01 201 /run/vm/qmp\n\
    0: 00000002 00000000 00010000 0001 01 202 @hidden\n\
    0: 00000003 00000000 00000000 0001 03 203 /run/vm/qmp\n\
    0: 00000002 00000000 00010000 0001 01 204 serial\n";

fn vm() -> Arc<Vm> {
    Arc::new(testing::vm())
}

/// A host with an sshd on every address and a VM with a display on loopback and three unix sockets.
fn host() -> tempfile::TempDir {
    let root = tempfile::tempdir().expect("a folder");
    std::fs::set_permissions(root.path(), std::fs::Permissions::from_mode(0o755)).expect("a mode");
    for table in ["proc/net/tcp", "proc/7/net/tcp"] {
        write(root.path(), table, TCP);
    }
    for table in ["proc/net/unix", "proc/7/net/unix"] {
        write(root.path(), table, UNIX);
    }
    write(root.path(), "proc/net/udp", "  sl  local_address\n");
    write(root.path(), "proc/5/comm", "sshd\n");
    for (pid, inodes) in [("5", &[102][..]), ("7", &[101, 103, 201, 202, 203, 204])] {
        let fd = root.path().join("proc").join(pid).join("fd");
        std::fs::create_dir_all(&fd).expect("a folder");
        for inode in inodes {
            symlink(format!("socket:[{inode}]"), fd.join(inode.to_string())).expect("a link");
        }
    }
    symlink("/srv", root.path().join("proc/7/cwd")).expect("a link");
    symlink("/", root.path().join("proc/7/root")).expect("a link");
    for (file, mode) in [("run/vm/qmp", 0o755), ("srv/serial", 0o777)] {
        write(root.path(), file, "");
        let path = root.path().join(file);
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("a mode");
    }
    root
}

fn fact(root: &Path, key: &str) -> Result<Value, Unavailable> {
    testing::fact(root, &vm(), key)
}

fn map(pairs: &[(&str, &str)]) -> Value {
    Value::Map(pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect())
}

#[test]
fn who_listens_on_the_host() {
    let root = host();
    let all = map(&[("0.0.0.0:22", "sshd"), ("127.0.0.1:5900", "user 64055")]);
    // The VMM's name was not recorded.
    assert_eq!(fact(root.path(), "listen.tcp"), Ok(all));
    assert_eq!(fact(root.path(), "listen.tcp:22"), Ok(Value::List(vec!["0.0.0.0".into()])));
    assert_eq!(fact(root.path(), "listen.tcp:23"), Ok(Value::List(Vec::new())));
    assert_eq!(fact(root.path(), "listen.udp:53"), Ok(Value::List(Vec::new())));
    assert!(matches!(fact(root.path(), "listen.tcp:ssh"), Err(Unavailable::Malformed(_))));
}

#[test]
fn what_was_not_recorded_is_not_nobody() {
    let root = host();
    std::fs::remove_file(root.path().join("proc/net/tcp")).expect("a file");
    for key in ["listen.tcp", "listen.tcp:22", "vm.listen.tcp"] {
        assert!(matches!(fact(root.path(), key), Err(Unavailable::NotExposed(_))), "{key}");
    }
    write(root.path(), "proc/net/tcp", "junk\njunk\n");
    assert!(matches!(fact(root.path(), "listen.tcp:22"), Err(Unavailable::Malformed(_))));
}

#[test]
fn a_vmm_has_its_own_sockets_and_not_its_connections() {
    let root = host();
    let own = Ok(Value::List(vec!["127.0.0.1:5900".into()]));
    assert_eq!(fact(root.path(), "vm.listen.tcp"), own);
    std::fs::remove_dir_all(root.path().join("proc/7/fd")).expect("a folder");
    assert_eq!(fact(root.path(), "vm.listen.tcp"), Err(Unavailable::Gone));
}

#[test]
fn a_vmm_in_a_network_namespace_of_its_own_is_asked_there() {
    let root = host();
    for (pid, namespace) in [("1", "net:[1]"), ("7", "net:[2]")] {
        let folder = root.path().join("proc").join(pid).join("ns");
        std::fs::create_dir_all(&folder).expect("a folder");
        symlink(namespace, folder.join("net")).expect("a link");
    }
    write(root.path(), "proc/7/net/tcp", &TCP.replace("0100007F:170C 00000000", "00000000:170C 00000000"));
    assert_eq!(fact(root.path(), "vm.listen.tcp"), Ok(Value::List(vec!["0.0.0.0:5900".into()])));
    std::fs::remove_file(root.path().join("proc/7/net/unix")).expect("a file");
    assert!(matches!(fact(root.path(), "vm.listen.unix"), Err(Unavailable::NotExposed(_))));
}

#[test]
fn who_reaches_a_vmms_unix_sockets() {
    let root = host();
    let expected = map(&[("/run/vm/qmp", "owner"), ("@hidden", "abstract"), ("serial", "others")]);
    assert_eq!(
        fact(root.path(), "vm.listen.unix"),
        Ok(expected),
        "a relative name begins where the VMM stands"
    );
    let folder = root.path().join("proc/7/ns");
    std::fs::create_dir_all(&folder).expect("a folder");
    symlink("mnt:[2]", folder.join("mnt")).expect("a link");
    std::fs::create_dir_all(root.path().join("proc/1/ns")).expect("a folder");
    symlink("mnt:[1]", root.path().join("proc/1/ns/mnt")).expect("a link");
    let expected = map(&[("/run/vm/qmp", "elsewhere"), ("@hidden", "abstract"), ("serial", "elsewhere")]);
    assert_eq!(fact(root.path(), "vm.listen.unix"), Ok(expected));
}

#[test]
fn the_live_host_tells_what_this_test_opened() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a socket");
    let port = listener.local_addr().expect("an address").port();
    let gather = Gather::new(HostFiles::new(Roots::default()), Clock::default());
    let found = super::tcp(&gather, &port.to_string());
    assert_eq!(found.value, Ok(Value::List(vec!["127.0.0.1".into()])));
    let all = super::tcp(&gather, "").value.expect("sockets");
    let own = all.map().expect("a map").iter().find(|(at, _)| *at == format!("127.0.0.1:{port}"));
    let comm = std::fs::read_to_string("/proc/self/comm").expect("a name");
    assert_eq!(own.map(|(_, program)| program.as_str()), Some(comm.trim()));
}
