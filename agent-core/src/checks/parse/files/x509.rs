//! What of a certificate grows old: its dates, its signature's algorithm, its key. (RFC 5280; RFC 7468 for PEM.)
//!
//! By hand: a DER reader for these few fields is a tenth of what a certificate library brings, and nothing is verified
//! here. A certificate that passes is not thereby to be trusted.

use super::Malformed;

/// A certificate, as far as it grows old.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// The first moment it is valid, in seconds since 1970 (UTC).
    pub not_before: i64,
    /// The last moment it is valid, in seconds since 1970 (UTC).
    pub not_after: i64,
    /// Whether the issuer is the subject, as in a root: nobody relies on its signature.
    pub self_issued: bool,
    /// The subject's common name.
    pub common_name: Option<String>,
    /// How it is signed.
    pub signature: Signature,
    /// Its key.
    pub key: Key,
}

/// The algorithm of a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signature {
    /// With MD2, MD4 or MD5.
    Md5,
    /// With SHA-1.
    Sha1,
    /// With SHA-224 or better, or one that has its hash built in.
    Sha2,
    /// One that this code does not know.
    Other,
}

impl Signature {
    /// Whether it can be forged. One that is not known is not called weak.
    #[must_use]
    pub fn is_weak(self) -> bool {
        matches!(self, Self::Md5 | Self::Sha1)
    }
}

/// A key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// RSA, with the bits of its modulus.
    Rsa(usize),
    /// DSA, with the bits of its prime.
    Dsa(usize),
    /// Elliptic curve, with the bits of its field.
    Ec(usize),
    /// Ed25519.
    Ed25519,
    /// Ed448.
    Ed448,
    /// One that this code does not know.
    Other,
}

const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OBJECT: u8 = 0x06;
const VERSION: u8 = 0xa0;

/// A reader of DER within bounds.
#[derive(Clone, Copy)]
struct Der<'a> {
    bytes: &'a [u8],
    /// Where the bytes are in the certificate.
    offset: usize,
}

impl<'a> Der<'a> {
    /// The next element: its tag and its content.
    fn next(&mut self) -> Option<(u8, Der<'a>)> {
        let (tag, first) = (*self.bytes.first()?, *self.bytes.get(1)?);
        let (length, head) = match first {
            0..=0x7f => (usize::from(first), 2),
            0x81..=0x84 => {
                let count = usize::from(first & 0x7f);
                let digits = self.bytes.get(2..2 + count)?;
                let length = digits.iter().fold(0_u64, |length, digit| length << 8 | u64::from(*digit));
                (usize::try_from(length).ok()?, 2 + count)
            }
            _ => return None,
        };
        let end = head.checked_add(length)?;
        let content = Der { bytes: self.bytes.get(head..end)?, offset: self.offset + head };
        *self = Der { bytes: &self.bytes[end..], offset: self.offset + end };
        Some((tag, content))
    }

    fn expect(&mut self, tag: u8, what: &'static str) -> Result<Der<'a>, Malformed> {
        let offset = self.offset;
        match self.next() {
            Some((found, content)) if found == tag => Ok(content),
            _ => Err(Malformed { offset, what }),
        }
    }
}

/// Every certificate of a file: PEM, one after the other with whatever in between, or one in DER. Keys and other
/// things are passed over. Offsets of errors are those within the certificate.
pub fn certificates(bytes: &[u8]) -> impl Iterator<Item = Result<Certificate, Malformed>> {
    const BEGIN: &[u8] = b"-----BEGIN CERTIFICATE-----";
    const END: &[u8] = b"-----END CERTIFICATE-----";
    let der = bytes.first() == Some(&SEQUENCE);
    let mut rest = if der { &[] } else { bytes };
    let pem = std::iter::from_fn(move || {
        let begin = memchr::memmem::find(rest, BEGIN)?;
        let after = &rest[begin + BEGIN.len()..];
        let Some(end) = memchr::memmem::find(after, END) else {
            rest = &[];
            return Some(Err(Malformed { offset: 0, what: "PEM without an end" }));
        };
        rest = &after[end + END.len()..];
        let decoded = base64(&after[..end]).ok_or(Malformed { offset: 0, what: "base64" });
        Some(decoded.and_then(|der| certificate(&der)))
    });
    der.then(|| certificate(bytes)).into_iter().chain(pem)
}

/// Reads one certificate in DER.
///
/// # Errors
/// When it is none: the element that is not as it should be, and where.
pub fn certificate(bytes: &[u8]) -> Result<Certificate, Malformed> {
    let mut outer = Der { bytes, offset: 0 }.expect(SEQUENCE, "certificate")?;
    let mut body = outer.expect(SEQUENCE, "tbsCertificate")?;
    if body.bytes.first() == Some(&VERSION) {
        body.expect(VERSION, "version")?;
    }
    body.expect(INTEGER, "serialNumber")?;
    body.expect(SEQUENCE, "signature")?;
    let issuer = body.expect(SEQUENCE, "issuer")?;
    let mut validity = body.expect(SEQUENCE, "validity")?;
    let not_before = time(&mut validity)?;
    let not_after = time(&mut validity)?;
    let subject = body.expect(SEQUENCE, "subject")?;
    let key = key(body.expect(SEQUENCE, "subjectPublicKeyInfo")?)?;
    let signature = signature(outer.expect(SEQUENCE, "signatureAlgorithm")?)?;
    Ok(Certificate {
        not_before,
        not_after,
        self_issued: issuer.bytes == subject.bytes,
        common_name: common_name(subject),
        signature,
        key,
    })
}

fn common_name(mut subject: Der) -> Option<String> {
    const COMMON_NAME: &[u8] = &[0x55, 4, 3];
    while let Some((tag, mut set)) = subject.next() {
        if tag != SET {
            continue;
        }
        while let Some((_, mut pair)) = set.next() {
            if pair.next()?.1.bytes == COMMON_NAME {
                return Some(String::from_utf8_lossy(pair.next()?.1.bytes).into_owned());
            }
        }
    }
    None
}

fn signature(mut algorithm: Der) -> Result<Signature, Malformed> {
    const RSA: [u8; 8] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1];
    const ECDSA: [u8; 6] = [0x2a, 0x86, 0x48, 0xce, 0x3d, 4];
    const DSA_SHA1: [u8; 7] = [0x2a, 0x86, 0x48, 0xce, 0x38, 4, 3];
    /// 2.16.840.1.101.3.4.3: NIST's, DSA with SHA-2 and everything newer.
    const NIST: [u8; 8] = [0x60, 0x86, 0x48, 1, 0x65, 3, 4, 3];
    /// 1.3.101: Edwards curves.
    const EDWARDS: [u8; 2] = [0x2b, 0x65];
    let name = algorithm.expect(OBJECT, "algorithm")?.bytes;
    let tail = |prefix: &[u8]| name.strip_prefix(prefix);
    Ok(match (tail(&RSA), tail(&ECDSA)) {
        (Some([2..=4]), _) => Signature::Md5,
        (Some([5]), _) | (_, Some([1])) => Signature::Sha1,
        (Some([11..=16]), _) | (_, Some([3, _])) => Signature::Sha2,
        (Some([10]), _) => pss(algorithm),
        _ if name == DSA_SHA1 => Signature::Sha1,
        _ if tail(&NIST).is_some() || matches!(tail(&EDWARDS), Some([112 | 113])) => Signature::Sha2,
        _ => Signature::Other,
    })
}

/// RSASSA-PSS names its hash among its parameters; SHA-1 when it does not.
fn pss(mut algorithm: Der) -> Signature {
    const HASH: u8 = 0xa0;
    const SHA1: &[u8] = &[0x2b, 0x0e, 3, 2, 0x1a];
    let mut hash = || {
        let (_, mut parameters) = algorithm.next()?;
        let (tag, mut hash) = parameters.next()?;
        let (_, mut inner) = if tag == HASH { hash.next()? } else { return None };
        Some(inner.next()?.1.bytes)
    };
    match hash() {
        None | Some(SHA1) => Signature::Sha1,
        Some(_) => Signature::Sha2,
    }
}

fn key(mut info: Der) -> Result<Key, Malformed> {
    const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1];
    const RSA_PSS: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 10];
    const DSA: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x38, 4, 1];
    const EC: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1];
    let mut algorithm = info.expect(SEQUENCE, "algorithm")?;
    let bits = info.expect(BIT_STRING, "subjectPublicKey")?;
    Ok(match algorithm.expect(OBJECT, "algorithm")?.bytes {
        RSA | RSA_PSS => {
            // The first byte says how many bits of the last are none.
            let bytes = bits.bytes.get(1..).unwrap_or_default();
            let mut key = Der { bytes, offset: bits.offset + 1 };
            let mut numbers = key.expect(SEQUENCE, "RSAPublicKey")?;
            Key::Rsa(bit_length(numbers.expect(INTEGER, "modulus")?.bytes))
        }
        DSA => {
            let mut parameters = algorithm.expect(SEQUENCE, "DSA parameters")?;
            Key::Dsa(bit_length(parameters.expect(INTEGER, "p")?.bytes))
        }
        EC => match algorithm.next().map(|(_, curve)| curve.bytes) {
            Some([0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7] | [0x2b, 0x81, 4, 0, 10]) => Key::Ec(256),
            Some([0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 1]) => Key::Ec(192),
            Some([0x2b, 0x81, 4, 0, 33]) => Key::Ec(224),
            Some([0x2b, 0x81, 4, 0, 34]) => Key::Ec(384),
            Some([0x2b, 0x81, 4, 0, 35]) => Key::Ec(521),
            _ => Key::Other,
        },
        [0x2b, 0x65, 112] => Key::Ed25519,
        [0x2b, 0x65, 113] => Key::Ed448,
        _ => Key::Other,
    })
}

fn bit_length(number: &[u8]) -> usize {
    let begin = number.iter().position(|byte| *byte != 0).unwrap_or(number.len());
    let significant = &number[begin..];
    significant.first().map_or(0, |first| 8 * significant.len() - first.leading_zeros() as usize)
}

/// `YYMMDDhhmmssZ` or `YYYYMMDDhhmmssZ`, the only forms that RFC 5280 lets be.
fn time(validity: &mut Der) -> Result<i64, Malformed> {
    const UTC_TIME: u8 = 0x17;
    const GENERALIZED_TIME: u8 = 0x18;
    let offset = validity.offset;
    let read = |validity: &mut Der| {
        let (tag, content) = validity.next()?;
        let digits = content.bytes.strip_suffix(b"Z")?;
        let two = |at: usize| match digits.get(at..at + 2)? {
            [high @ b'0'..=b'9', low @ b'0'..=b'9'] => {
                Some(i64::from(high - b'0') * 10 + i64::from(low - b'0'))
            }
            _ => None,
        };
        let (year, rest) = match (tag, digits.len()) {
            (UTC_TIME, 12) => {
                let year = two(0)?;
                (if year < 50 { 2000 + year } else { 1900 + year }, 2)
            }
            (GENERALIZED_TIME, 14) => (two(0)? * 100 + two(2)?, 4),
            _ => return None,
        };
        let (month, day) = (two(rest)?, two(rest + 2)?);
        let (hour, minute, second) = (two(rest + 4)?, two(rest + 6)?, two(rest + 8)?);
        let valid = (1..=12).contains(&month) && (1..=31).contains(&day) && hour < 24 && minute < 60;
        (valid && second < 61).then(|| days(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second)
    };
    read(validity).ok_or(Malformed { offset, what: "time" })
}

/// Days since 1970 of a day of the Gregorian calendar.
fn days(year: i64, month: i64, day: i64) -> i64 {
    // Years begin in March, so that the leap day is their last.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    365 * year + leap_days + (153 * month + 2) / 5 + day - 1 - 719_468
}

fn base64(text: &[u8]) -> Option<Vec<u8>> {
    let (mut decoded, mut bits, mut count) = (Vec::with_capacity(text.len() * 3 / 4), 0_u32, 0_u32);
    for byte in text.iter().filter(|byte| !byte.is_ascii_whitespace()) {
        let digit = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            b'=' => break,
            _ => return None,
        };
        bits = (bits << 6 | u32::from(digit)) & 0xffff;
        count += 6;
        if count >= 8 {
            count -= 8;
            decoded.push(((bits >> count) & 0xff) as u8);
        }
    }
    Some(decoded)
}

#[cfg(test)]
#[path = "x509_tests.rs"]
mod tests;
