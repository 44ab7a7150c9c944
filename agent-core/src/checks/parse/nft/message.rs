//! Netlink's messages and attributes, within bounds. (netlink(7), the kernel's `include/uapi/linux/netlink.h` and
//! `nfnetlink.h`.)

use super::{Malformed, wrong};

const HEADER_BYTES: usize = 16;
/// `struct nfgenmsg`, before the attributes.
const FAMILY_HEADER_BYTES: usize = 4;
const ATTRIBUTE_BYTES: usize = 4;
const SUBSYSTEM_NFTABLES: u16 = 10;

/// What can be asked for in whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dump {
    /// `NFT_MSG_GETTABLE`.
    Tables,
    /// `NFT_MSG_GETCHAIN`.
    Chains,
    /// `NFT_MSG_GETRULE`.
    Rules,
}

impl Dump {
    fn request_kind(self) -> u16 {
        SUBSYSTEM_NFTABLES << 8
            | match self {
                Self::Tables => 1,
                Self::Chains => 4,
                Self::Rules => 7,
            }
    }

    /// The kind of the messages that answer: `NFT_MSG_NEWTABLE` and so on, one less than the request's.
    pub(super) fn answer_kind(self) -> u16 {
        self.request_kind() - 1
    }

    /// The request for everything of a kind in all families, to be sent to a socket of `NETLINK_NETFILTER`. Needs
    /// `CAP_NET_ADMIN` in the network namespace; answers go on until a message that says so.
    #[must_use]
    pub fn request(self, sequence: u32) -> [u8; HEADER_BYTES + FAMILY_HEADER_BYTES] {
        /// `NLM_F_REQUEST`, and `NLM_F_ROOT | NLM_F_MATCH`.
        const REQUEST_DUMP: u16 = 0x1 | 0x300;
        let mut bytes = [0; HEADER_BYTES + FAMILY_HEADER_BYTES];
        let length: u32 = 20;
        bytes[..4].copy_from_slice(&length.to_ne_bytes());
        bytes[4..6].copy_from_slice(&self.request_kind().to_ne_bytes());
        bytes[6..8].copy_from_slice(&REQUEST_DUMP.to_ne_bytes());
        bytes[8..12].copy_from_slice(&sequence.to_ne_bytes());
        // The family is 0 for all of them, and so are the version and the resource.
        bytes
    }
}

/// One message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message<'a> {
    /// The subsystem and what it is.
    pub kind: u16,
    /// Whether the rules changed while they were told: ask again.
    pub interrupted: bool,
    /// The number of the request.
    pub sequence: u32,
    /// The family, a number of `NFPROTO_*`.
    pub family: u8,
    /// What it says.
    pub attributes: Attributes<'a>,
}

/// Takes what was received apart, any number of datagrams one after the other, until the message that says that this
/// was all.
///
/// # Errors
/// When a message is cut, or the kernel refused; nothing comes after that.
#[must_use]
pub fn messages(bytes: &[u8]) -> Messages<'_> {
    Messages { bytes, offset: 0, done: false }
}

/// See [`messages`].
#[derive(Clone, Debug)]
pub struct Messages<'a> {
    bytes: &'a [u8],
    offset: usize,
    done: bool,
}

impl Messages<'_> {
    /// Whether the message that says that this was all has come. Without it something is missing.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.done
    }
}

impl<'a> Iterator for Messages<'a> {
    type Item = Result<Message<'a>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let rest = self.bytes.get(self.offset..).filter(|rest| !rest.is_empty() && !self.done)?;
            match self.read(rest) {
                Ok(None) => {}
                Ok(Some(message)) => return Some(Ok(message)),
                Err(error) => {
                    self.offset = self.bytes.len();
                    return Some(Err(error));
                }
            }
        }
    }
}

impl<'a> Messages<'a> {
    /// The message at hand; none when it only steers the conversation.
    fn read(&mut self, rest: &'a [u8]) -> Result<Option<Message<'a>>, Malformed> {
        const NOOP: u16 = 1;
        const ERROR: u16 = 2;
        const DONE: u16 = 3;
        const OVERRUN: u16 = 4;
        const DUMP_INTERRUPTED: u16 = 0x10;
        let at = self.offset;
        let cut = |what| wrong(at, what);
        let length = word(rest, 0).ok_or(cut("a message's header"))? as usize;
        let (kind, flags) = (half(rest, 4).ok_or(cut("header"))?, half(rest, 6).ok_or(cut("header"))?);
        let sequence = word(rest, 8).ok_or(cut("a message's header"))?;
        let body = rest.get(HEADER_BYTES..length).ok_or(cut("a message's length"))?;
        self.offset = at.saturating_add(length.next_multiple_of(4));
        match kind {
            NOOP => Ok(None),
            DONE => {
                self.done = true;
                Ok(None)
            }
            ERROR => {
                let code = word(body, 0).ok_or(cut("an error"))?.cast_signed();
                // An acknowledgement is an error of 0.
                let refused = Malformed { offset: at, what: "refused", errno: Some(code.saturating_neg()) };
                if code == 0 { Ok(None) } else { Err(refused) }
            }
            OVERRUN => Err(cut("messages were lost")),
            _ => {
                let family = *body.first().ok_or(cut("a message's family"))?;
                let attributes = body.get(FAMILY_HEADER_BYTES..).ok_or(cut("a message's family"))?;
                let attributes = Attributes { bytes: attributes, offset: 0 };
                let interrupted = flags & DUMP_INTERRUPTED != 0;
                Ok(Some(Message { kind, interrupted, sequence, family, attributes }))
            }
        }
    }
}

/// Attributes one after the other: the kind without its flags, and the content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attributes<'a> {
    bytes: &'a [u8],
    offset: usize,
}

impl<'a> Attributes<'a> {
    /// Attributes within an attribute's content.
    #[must_use]
    pub fn nested(content: &'a [u8]) -> Self {
        Self { bytes: content, offset: 0 }
    }
}

impl<'a> Iterator for Attributes<'a> {
    type Item = Result<(u16, &'a [u8]), Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        /// `NLA_F_NESTED` and `NLA_F_NET_BYTEORDER` are flags.
        const KIND: u16 = 0x3fff;
        let rest = self.bytes.get(self.offset..).filter(|rest| !rest.is_empty())?;
        let read = || {
            let length = usize::from(half(rest, 0)?);
            Some((half(rest, 2)? & KIND, rest.get(ATTRIBUTE_BYTES..length)?, length))
        };
        if let Some((kind, content, length)) = read() {
            self.offset = self.offset.saturating_add(length.next_multiple_of(4));
            Some(Ok((kind, content)))
        } else {
            let offset = std::mem::replace(&mut self.offset, self.bytes.len());
            Some(Err(wrong(offset, "an attribute's length")))
        }
    }
}

fn half(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

/// The content as a text, which the kernel ends by a zero.
pub(super) fn text(content: &[u8]) -> String {
    let end = memchr::memchr(0, content).unwrap_or(content.len());
    String::from_utf8_lossy(&content[..end]).into_owned()
}

/// The content as a number: nftables writes them in the network's order.
pub(super) fn number(content: &[u8]) -> Option<u32> {
    Some(u32::from_be_bytes(content.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn message(kind: u16, flags: u16, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(HEADER_BYTES + body.len()).unwrap();
        let mut bytes =
            [&length.to_ne_bytes()[..], &kind.to_ne_bytes(), &flags.to_ne_bytes(), &[0; 8], body].concat();
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    #[test]
    fn requests() {
        let bytes = Dump::Rules.request(7);
        assert_eq!(word(&bytes, 0), Some(20));
        assert_eq!((half(&bytes, 4), half(&bytes, 6), word(&bytes, 8)), (Some(0xa07), Some(0x301), Some(7)));
        assert_eq!(Dump::Tables.answer_kind(), 0xa00);
    }

    #[test]
    fn a_conversation() {
        let attribute = [5, 0, 1, 0x80, b'x', 0, 0, 0];
        let body = [&[2, 0, 0, 0][..], &attribute].concat();
        let bytes = [message(0xa00, 0x12, &body), message(1, 0, &[]), message(3, 0, &[0; 4])].concat();
        let mut found = messages(&bytes);
        let first = found.next().expect("a message").expect("whole");
        assert_eq!((first.kind, first.family, first.interrupted), (0xa00, 2, true));
        let attributes: Vec<_> = first.attributes.collect::<Result<_, _>>().expect("attributes");
        assert_eq!(attributes, [(1, &b"x"[..])]);
        assert_eq!(found.next(), None);
        assert!(found.is_done());
    }

    #[test]
    fn refusals_and_cuts() {
        let refused = message(2, 0, &(-1_i32).to_ne_bytes());
        let error = messages(&refused).next().expect("a refusal").expect_err("refused");
        assert_eq!((error.errno, error.what), (Some(1), "refused"));
        let whole = message(0xa00, 0, &[2, 0, 0, 0]);
        let cut: Vec<_> = messages(&whole[..18]).collect();
        assert_eq!(cut, [Err(wrong(0, "a message's length"))]);
        let mut found = messages(&whole);
        assert!(found.by_ref().all(|message| message.is_ok()) && !found.is_done(), "the end is missing");
        let attributes: Vec<_> = Attributes::nested(&[3, 0, 1, 0]).collect();
        assert_eq!(attributes, [Err(wrong(0, "an attribute's length"))]);
    }

    proptest! {
        #[test]
        fn any_bytes_come_back(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(Attributes::nested(&bytes).count() <= bytes.len());
            prop_assert!(messages(&bytes).count() <= bytes.len());
        }
    }
}
