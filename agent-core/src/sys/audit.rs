//! What the kernel audits: its state and its rules, over netlink (`linux/audit.h`). Nothing is changed, and nothing is
//! registered: the audit daemon, of which there can be one, is not disturbed.

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, recvfrom, sendto, setsockopt,
    socket, sockopt,
};
use nix::sys::time::{TimeVal, TimeValLike};
use std::os::fd::{AsRawFd, OwnedFd};

const AUDIT_GET: u16 = 1000;
const AUDIT_LIST_RULES: u16 = 1013;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const NLM_F_REQUEST: u16 = 1;
const HEADER_BYTES: usize = 16;
/// A message is a rule at most: 1,040 bytes, and its texts.
const MESSAGE_BYTES_MAX: usize = 16 * 1024;
/// Rules that are kept; nobody has that many.
const RULES_MAX: usize = 4_096;
/// How long one answer may take.
const ANSWER_MS: i64 = 500;

const AUDIT_FILTER_EXIT: u32 = 4;
const AUDIT_ALWAYS: u32 = 2;
const AUDIT_WATCH: u32 = 105;
const AUDIT_DIR: u32 = 107;
const AUDIT_EXE: u32 = 112;
const AUDIT_FILTERKEY: u32 = 210;

/// The state of auditing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    /// 0 off, 1 on, 2 on and locked until the next boot.
    pub enabled: u32,
    /// The daemon that takes the records; 0 is none.
    pub pid: u32,
    /// Records that may wait.
    pub backlog_max: u32,
    /// Records that were lost since the boot.
    pub lost: u32,
    /// Records that wait.
    pub backlog: u32,
}

/// One rule of the list for what system calls return, which is where watches are too.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rule {
    /// The file or folder that is watched.
    pub path: Option<String>,
    /// The numbers of the system calls that are recorded; empty for a watch, which has them all.
    pub system_calls: Vec<u32>,
}

/// Asks for the state.
///
/// # Errors
/// `EPROTONOSUPPORT` or `ECONNREFUSED` of a kernel without auditing, `EPERM` without `CAP_AUDIT_CONTROL`.
pub fn status() -> nix::Result<Status> {
    let mut found = None;
    ask(AUDIT_GET, |kind, body| {
        found = (kind == AUDIT_GET).then(|| parse_status(body)).flatten();
        found.is_none()
    })?;
    found.ok_or(Errno::EBADMSG)
}

/// Asks for the rules that record something.
///
/// # Errors
/// As [`status`]; `E2BIG` when there are more than this reads.
pub fn rules() -> nix::Result<Vec<Rule>> {
    let mut rules = Vec::new();
    let mut too_many = false;
    ask(AUDIT_LIST_RULES, |kind, body| {
        if kind == AUDIT_LIST_RULES {
            too_many |= rules.len() >= RULES_MAX;
            rules.extend(parse_rule(body));
        }
        !too_many
    })?;
    if too_many { Err(Errno::E2BIG) } else { Ok(rules) }
}

/// Sends a request without content, and hands over answers until there is an end, or `more` says so.
fn ask(request: u16, mut more: impl FnMut(u16, &[u8]) -> bool) -> nix::Result<()> {
    let socket: OwnedFd =
        socket(AddressFamily::Netlink, SockType::Raw, SockFlag::SOCK_CLOEXEC, SockProtocol::NetlinkAudit)?;
    setsockopt(&socket, sockopt::ReceiveTimeout, &TimeVal::milliseconds(ANSWER_MS))?;
    let mut message = [0_u8; HEADER_BYTES];
    message[..4].copy_from_slice(&16_u32.to_ne_bytes());
    message[4..6].copy_from_slice(&request.to_ne_bytes());
    message[6..8].copy_from_slice(&NLM_F_REQUEST.to_ne_bytes());
    sendto(socket.as_raw_fd(), &message, &NetlinkAddr::new(0, 0), MsgFlags::empty())?;
    let mut buffer = vec![0; MESSAGE_BYTES_MAX];
    // Each rule is a datagram of its own; what does not end is cut off.
    for _ in 0..RULES_MAX * 2 {
        let (length, sender) = recvfrom::<NetlinkAddr>(socket.as_raw_fd(), &mut buffer)?;
        if sender.is_none_or(|sender| sender.pid() != 0) {
            continue;
        }
        let mut rest = buffer.get(..length).unwrap_or_default();
        while let Some((kind, body, after)) = split(rest) {
            rest = after;
            match kind {
                NLMSG_DONE => return Ok(()),
                NLMSG_ERROR => {
                    let code = word(body, 0).unwrap_or_default().cast_signed();
                    if code != 0 {
                        return Err(Errno::from_raw(code.wrapping_neg()));
                    }
                }
                kind if !more(kind, body) => return Ok(()),
                _ => {}
            }
        }
    }
    Err(Errno::E2BIG)
}

/// The first message: its type, its content, and what follows.
fn split(bytes: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let length = usize::try_from(word(bytes, 0)?).ok()?;
    let kind = u16::from_ne_bytes(bytes.get(4..6)?.try_into().ok()?);
    let body = bytes.get(HEADER_BYTES..length)?;
    let next = length.checked_next_multiple_of(4)?;
    Some((kind, body, bytes.get(next..).unwrap_or_default()))
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

/// `struct audit_status`
fn parse_status(body: &[u8]) -> Option<Status> {
    Some(Status {
        enabled: word(body, 4)?,
        pid: word(body, 12)?,
        backlog_max: word(body, 20)?,
        lost: word(body, 24)?,
        backlog: word(body, 28)?,
    })
}

/// `struct audit_rule_data`; `None` for a rule that records nothing.
fn parse_rule(body: &[u8]) -> Option<Rule> {
    const MASK: usize = 12;
    const WORDS: usize = 64;
    const FIELDS: usize = MASK + 4 * WORDS;
    const VALUES: usize = FIELDS + 4 * WORDS;
    const TEXTS: usize = VALUES + 8 * WORDS + 4;
    let (list, action) = (word(body, 0)?, word(body, 4)?);
    let count = usize::try_from(word(body, 8)?).ok()?.min(WORDS);
    if list & 0x7f != AUDIT_FILTER_EXIT || action != AUDIT_ALWAYS {
        return None;
    }
    let mut rule = Rule::default();
    let mut at = TEXTS;
    for index in 0..count {
        let field = word(body, FIELDS + 4 * index)?;
        // Subject's and object's labels, paths and keys are texts, one behind the other; the value is the length.
        if matches!(field, 13..=17 | 19..=23 | AUDIT_WATCH | AUDIT_DIR | AUDIT_EXE | AUDIT_FILTERKEY) {
            let length = usize::try_from(word(body, VALUES + 4 * index)?).ok()?;
            let text = body.get(at..at.checked_add(length)?)?;
            at += length;
            if matches!(field, AUDIT_WATCH | AUDIT_DIR) {
                rule.path = Some(String::from_utf8_lossy(text).into_owned());
            }
        }
    }
    if rule.path.is_none() {
        for index in 0..WORDS {
            let mask = word(body, MASK + 4 * index)?;
            let bits = (0..32).filter(|bit| mask & (1 << bit) != 0);
            rule.system_calls.extend(bits.filter_map(|bit| u32::try_from(index * 32 + bit).ok()));
        }
    }
    Some(rule)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn words(words: &[u32]) -> Vec<u8> {
        words.iter().flat_map(|word| word.to_ne_bytes()).collect()
    }

    fn rule(action: u32, calls: &[usize], fields: &[(u32, &str)]) -> Vec<u8> {
        let mut mask = [0_u32; 64];
        for call in calls {
            mask[call / 32] |= 1 << (call % 32);
        }
        let (mut kinds, mut values) = ([0_u32; 64], [0_u32; 64]);
        for (index, (kind, text)) in fields.iter().enumerate() {
            kinds[index] = *kind;
            values[index] = u32::try_from(text.len()).expect("short");
        }
        let texts: String = fields.iter().map(|(_, text)| *text).collect();
        let count = u32::try_from(fields.len()).expect("few");
        let length = u32::try_from(texts.len()).expect("short");
        let mut bytes = words(&[AUDIT_FILTER_EXIT, action, count]);
        for part in [&mask, &kinds, &values, &[0; 64]] {
            bytes.extend(words(part));
        }
        bytes.extend(words(&[length]));
        bytes.extend(texts.bytes());
        bytes
    }

    #[test]
    fn a_watch_and_system_calls_are_read() {
        let watch = rule(AUDIT_ALWAYS, &[1, 2], &[(AUDIT_FILTERKEY, "key"), (AUDIT_DIR, "/etc/libvirt")]);
        let expected = Rule { path: Some("/etc/libvirt".into()), system_calls: vec![] };
        assert_eq!(parse_rule(&watch), Some(expected));
        let calls = rule(AUDIT_ALWAYS, &[175, 313], &[(AUDIT_FILTERKEY, "modules")]);
        assert_eq!(parse_rule(&calls).expect("a rule").system_calls, [175, 313]);
        assert_eq!(parse_rule(&rule(0, &[175], &[])), None, "it records nothing");
        assert_eq!(parse_rule(&calls[..900]), None);
    }

    #[test]
    fn the_status_is_read() {
        let status = parse_status(&words(&[0, 2, 1, 77, 0, 8192, 3, 5, 0, 0])).expect("a status");
        assert_eq!(status, Status { enabled: 2, pid: 77, backlog_max: 8192, lost: 3, backlog: 5 });
        assert_eq!(parse_status(&[0; 31]), None);
    }

    #[test]
    fn asking_the_kernel_comes_back_whatever_it_says() {
        let started = std::time::Instant::now();
        let (_, _) = (status(), rules());
        assert!(started.elapsed().as_secs() < 5);
    }

    proptest! {
        #[test]
        fn any_bytes_come_back(bytes in prop::collection::vec(any::<u8>(), 0..1400)) {
            let _ = (parse_rule(&bytes), parse_status(&bytes));
            let mut rest = bytes.as_slice();
            while let Some((_, _, after)) = split(rest) {
                prop_assert!(after.len() < rest.len());
                rest = after;
            }
        }
    }
}
