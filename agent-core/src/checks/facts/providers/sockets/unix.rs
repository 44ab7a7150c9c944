//! Unix sockets that wait for connections, and who can connect to one.

use super::inet::TABLE_BYTES_MAX;
use super::owners::{held, own_view};
use super::reach::{Reach, reach};
use crate::checks::fact::Unavailable;
use crate::checks::facts::Gather;
use crate::checks::parse::proc::sockets::{UnixName, unix};
use crate::checks::vm::Vm;
use crate::sys::sock_diag;
use std::sync::Arc;

/// A unix socket that waits for connections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::checks::facts::providers) struct UnixListener {
    /// What it is bound to; `None` when nobody can find it.
    name: Option<UnixName>,
    /// The inode, as descriptors of it are named.
    pub(in crate::checks::facts::providers) inode: u64,
}

type Listeners = Result<Arc<Vec<UnixListener>>, Unavailable>;

impl UnixListener {
    /// Its path, or `@` and its name.
    pub(in crate::checks::facts::providers) fn shown(&self) -> String {
        match &self.name {
            Some(UnixName::Path(path)) => path.clone(),
            Some(UnixName::Abstract(name)) => format!("@{name}"),
            None => "without a name".to_owned(),
        }
    }
}

/// Those of the host's network namespace.
pub(super) fn host(gather: &Gather) -> Listeners {
    let told = gather.memo("unix listeners", |gather| {
        let told = if gather.host().is_live() { sock_diag::unix_listeners().ok() } else { None };
        match told {
            Some(sockets) => Ok(Arc::new(sockets.into_iter().map(UnixListener::from).collect())),
            None => text(gather, "/proc/net/unix"),
        }
    });
    (*told).clone()
}

/// Those of a VMM.
fn unix_listening(gather: &Gather, vm: &Arc<Vm>) -> Result<Vec<UnixListener>, Unavailable> {
    let table =
        if own_view(gather, vm, "net")? { text(gather, &vm.proc("net/unix"))? } else { host(gather)? };
    let own = held(gather, vm)?;
    Ok(table.iter().filter(|socket| own.sockets.contains_key(&socket.inode)).cloned().collect())
}

/// One socket of a VMM's, and who can connect to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::checks::facts::providers) struct Reached {
    /// The socket.
    pub(in crate::checks::facts::providers) socket: UnixListener,
    /// Who, as a fact says it.
    pub(in crate::checks::facts::providers) who: String,
    /// The modes that say so.
    pub(in crate::checks::facts::providers) modes: String,
}

/// The unix sockets on which a VMM listens, with who can connect; found out once a round.
pub(in crate::checks::facts::providers) fn unix_reached(
    gather: &Gather,
    vm: &Arc<Vm>,
) -> Result<Arc<Vec<Reached>>, Unavailable> {
    let told = gather.memo(&format!("unix sockets of {}", vm.id.pid), |gather| {
        let mut found = Vec::new();
        for socket in unix_listening(gather, vm)? {
            let (who, modes) = who(gather, vm, &socket);
            found.push(Reached { who: who?, socket, modes });
        }
        Ok(Arc::new(found))
    });
    (*told).clone()
}

/// Who can connect to a socket that somebody else made, at a path as a VMM wrote it.
pub(in crate::checks::facts::providers) fn who_reaches(
    gather: &Gather,
    vm: &Vm,
    path: &str,
) -> Result<String, Unavailable> {
    let name = Some(UnixName::Path(path.to_owned()));
    who(gather, vm, &UnixListener { name, inode: 0 }).0
}

/// Who can connect, as a fact says it, and what was seen on the way.
fn who(gather: &Gather, vm: &Vm, socket: &UnixListener) -> (Result<String, Unavailable>, String) {
    let path = match &socket.name {
        None => return (Ok("owner".to_owned()), String::new()),
        Some(UnixName::Abstract(_)) => return (Ok("abstract".to_owned()), String::new()),
        Some(UnixName::Path(path)) => path,
    };
    let path = match as_host_sees(gather, vm, path) {
        Ok(Some(path)) => path,
        Ok(None) => return (Ok("elsewhere".to_owned()), String::new()),
        Err(why) => return (Err(why), String::new()),
    };
    match reach(gather, &path) {
        Ok(Reach { who, modes }) => (Ok(who), modes),
        // The name is gone, the socket is not: nobody can connect by it.
        Err(Unavailable::Absent) => (Ok("owner".to_owned()), format!("{path}: not there any more\n")),
        Err(why) => (Err(why), String::new()),
    }
}

/// A path as a VMM wrote it, seen from the host; `None` when the VMM has a view of files of its own.
pub(in crate::checks::facts::providers) fn as_host_sees(
    gather: &Gather,
    vm: &Vm,
    path: &str,
) -> Result<Option<String>, Unavailable> {
    if own_view(gather, vm, "mnt")? {
        return Ok(None);
    }
    let place = |link: &str| match gather.link(&vm.proc(link)) {
        Ok(place) => Ok(place),
        Err(Unavailable::Absent) if !gather.host().is_live() => Ok("/".to_owned()),
        Err(Unavailable::Absent) => Err(Unavailable::Gone),
        Err(why) => Err(why),
    };
    let base = place(if path.starts_with('/') { "root" } else { "cwd" })?;
    Ok(Some(format!("{}/{}", base.trim_end_matches('/'), path.trim_start_matches('/'))))
}

fn text(gather: &Gather, path: &str) -> Listeners {
    let bytes = match gather.read(path, TABLE_BYTES_MAX) {
        Ok(content) => content.bytes,
        Err(Unavailable::Absent) => {
            return Err(Unavailable::NotExposed(format!("{path} is not there, or was not recorded")));
        }
        Err(why) => return Err(why),
    };
    let mut found = Vec::new();
    // A name with a line feed is two lines, the second of which is no socket: what is no line is passed over.
    for socket in unix(&bytes).flatten().filter(|socket| socket.listens) {
        found.push(UnixListener { name: socket.name, inode: socket.inode });
    }
    Ok(Arc::new(found))
}

impl From<sock_diag::UnixListener> for UnixListener {
    fn from(socket: sock_diag::UnixListener) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let name = match socket.name.split_first() {
            None => None,
            Some((0, name)) => Some(UnixName::Abstract(text(name))),
            Some(_) => Some(UnixName::Path(text(&socket.name))),
        };
        Self { name, inode: socket.inode }
    }
}
