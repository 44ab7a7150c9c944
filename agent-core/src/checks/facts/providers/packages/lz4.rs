//! LZ4 frames, as apt packs its indices in images that were made small. Unpacked a block at a time, with the 64 KiB
//! before it that a block may refer to. Checksums are passed over: apt checked what it downloaded, and a damaged index
//! does not look like packages. (LZ4 frame format 1.6, LZ4 block format.)

use std::io::{self, Read};

const MAGIC: u32 = 0x184d_2204;
const SKIPPABLE: std::ops::RangeInclusive<u32> = 0x184d_2a50..=0x184d_2a5f;
const WINDOW_BYTES: usize = 64 << 10;

/// Unpacks frames, one after the other.
pub(super) struct Frames<R> {
    source: R,
    frame: Option<Frame>,
    /// What may be referred to, and behind it what was not handed over yet.
    window: Vec<u8>,
    handed: usize,
}

#[derive(Clone, Copy)]
struct Frame {
    block_bytes_max: usize,
    block_checksums: bool,
    content_checksum: bool,
}

impl<R: Read> Frames<R> {
    /// Unpacks what a source holds.
    pub(super) fn new(source: R) -> Self {
        Self { source, frame: None, window: Vec::new(), handed: 0 }
    }

    /// Unpacks one more block; `false` at the end.
    fn more(&mut self) -> io::Result<bool> {
        let Some(frame) = self.frame else {
            self.frame = self.header()?;
            return Ok(self.frame.is_some());
        };
        let size = self.word()?;
        if size == 0 {
            if frame.content_checksum {
                self.word()?;
            }
            self.frame = None;
            return Ok(true);
        }
        let (plain, length) = (size >> 31 == 1, (size & 0x7fff_ffff) as usize);
        if length > frame.block_bytes_max {
            return Err(broken("a block larger than its frame allows"));
        }
        let mut block = vec![0; length];
        self.source.read_exact(&mut block)?;
        if frame.block_checksums {
            self.word()?;
        }
        let spare = self.window.len().saturating_sub(WINDOW_BYTES).min(self.handed);
        self.window.drain(..spare);
        self.handed -= spare;
        if plain {
            self.window.extend_from_slice(&block);
        } else {
            let limit = self.window.len() + frame.block_bytes_max;
            unpack(&block, &mut self.window, limit)?;
        }
        Ok(true)
    }

    fn header(&mut self) -> io::Result<Option<Frame>> {
        let mut magic = [0; 4];
        // The end of the source is where a frame may begin.
        if self.source.read(&mut magic[..1])? == 0 {
            return Ok(None);
        }
        self.source.read_exact(&mut magic[1..])?;
        let magic = u32::from_le_bytes(magic);
        if SKIPPABLE.contains(&magic) {
            let length = u64::from(self.word()?);
            io::copy(&mut (&mut self.source).take(length), &mut io::sink())?;
            return self.header_again();
        }
        if magic != MAGIC {
            return Err(broken("no frame"));
        }
        let mut fixed = [0; 2];
        self.source.read_exact(&mut fixed)?;
        let [flags, sizes] = fixed;
        if flags >> 6 != 1 {
            return Err(broken("a frame of another version"));
        }
        let block_bytes_max = match sizes >> 4 & 7 {
            4 => 64 << 10,
            5 => 256 << 10,
            6 => 1 << 20,
            7 => 4 << 20,
            _ => return Err(broken("a block size that does not exist")),
        };
        // The content's size, a dictionary's number, and the header's checksum.
        let rest = usize::from(flags & 8 != 0) * 8 + usize::from(flags & 1 != 0) * 4 + 1;
        self.source.read_exact(&mut [0; 13][..rest])?;
        Ok(Some(Frame {
            block_bytes_max,
            block_checksums: flags & 0x10 != 0,
            content_checksum: flags & 4 != 0,
        }))
    }

    /// After something that is to be passed over. A chain of them is refused rather than followed.
    fn header_again(&mut self) -> io::Result<Option<Frame>> {
        let mut magic = [0; 4];
        if self.source.read(&mut magic[..1])? == 0 {
            return Ok(None);
        }
        Err(broken("a skippable frame before others"))
    }

    fn word(&mut self) -> io::Result<u32> {
        let mut bytes = [0; 4];
        self.source.read_exact(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }
}

impl<R: Read> Read for Frames<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.handed == self.window.len() {
            if !self.more()? {
                return Ok(0);
            }
        }
        let ready = &self.window[self.handed..];
        let count = ready.len().min(buffer.len());
        buffer[..count].copy_from_slice(&ready[..count]);
        self.handed += count;
        Ok(count)
    }
}

/// Unpacks one block behind what is there.
fn unpack(mut block: &[u8], out: &mut Vec<u8>, limit: usize) -> io::Result<()> {
    let short = || broken("a block that ends too early");
    while let [token, rest @ ..] = block {
        block = rest;
        let literals = length(usize::from(token >> 4), &mut block)?;
        let (text, rest) = block.split_at_checked(literals).ok_or_else(short)?;
        if out.len() + literals > limit {
            return Err(broken("more than a block holds"));
        }
        out.extend_from_slice(text);
        block = rest;
        // The last sequence has no match.
        let [low, high, rest @ ..] = block else {
            return if block.is_empty() { Ok(()) } else { Err(short()) };
        };
        let offset = usize::from(u16::from_le_bytes([*low, *high]));
        block = rest;
        let count = length(usize::from(token & 15), &mut block)? + 4;
        let start = out.len().checked_sub(offset).filter(|_| offset > 0);
        let start = start.ok_or_else(|| broken("a match before the beginning"))?;
        if out.len() + count > limit {
            return Err(broken("more than a block holds"));
        }
        // A match may run into what it makes: byte by byte is what repeats.
        for at in start..start + count {
            out.push(out[at]);
        }
    }
    Ok(())
}

/// A length of which 15 goes on in further bytes.
fn length(first: usize, block: &mut &[u8]) -> io::Result<usize> {
    let mut length = first;
    let mut more = first == 15;
    while more {
        let [byte, rest @ ..] = *block else { return Err(broken("a length that does not end")) };
        *block = rest;
        length =
            length.checked_add(usize::from(*byte)).ok_or_else(|| broken("a length beyond all bounds"))?;
        more = *byte == 255;
    }
    Ok(length)
}

fn broken(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn unpacked(bytes: &[u8]) -> io::Result<Vec<u8>> {
        let mut out = Vec::new();
        Frames::new(bytes).take(1 << 24).read_to_end(&mut out).map(|_| out)
    }

    fn frame(blocks: &[&[u8]], plain: bool) -> Vec<u8> {
        let mut bytes = MAGIC.to_le_bytes().to_vec();
        // Version 1, linked blocks, no checksums, blocks of 64 KiB, and a header checksum that is passed over.
        bytes.extend([0x40, 0x40, 0]);
        for block in blocks {
            let size = u32::try_from(block.len()).expect("small") | u32::from(plain) << 31;
            bytes.extend(size.to_le_bytes());
            bytes.extend(*block);
        }
        bytes.extend([0; 4]);
        bytes
    }

    #[test]
    fn literals_matches_and_links_to_the_block_before() {
        // `ab`, then six from two back; the last sequence is `!`.
        let first: &[u8] = &[0x22, b'a', b'b', 2, 0, 0x10, b'!'];
        assert_eq!(unpacked(&frame(&[first], false)).expect("text"), b"abababab!");
        // In a second block a match reaches into the first: nine back, four long.
        let second: &[u8] = &[0x00, 9, 0, 0x10, b'.'];
        assert_eq!(unpacked(&frame(&[first, second], false)).expect("text"), b"abababab!abab.");
        assert_eq!(unpacked(&frame(&[b"plain"], true)).expect("text"), b"plain");
        let two = [frame(&[b"a"], true), frame(&[b"b"], true)].concat();
        assert_eq!(unpacked(&two).expect("text"), b"ab");
        // 15 and 255 and 1 literals.
        let mut long = vec![0xf0, 255, 1];
        long.extend([b'x'; 271]);
        assert_eq!(unpacked(&frame(&[&long], false)).expect("text"), vec![b'x'; 271]);
    }

    #[test]
    fn what_is_broken_is_refused() {
        for block in [&[0x20, b'a'][..], &[0x10, b'a', 2, 0, 0], &[0x10, b'a', 0, 0, 0], &[0xf0, 255]] {
            assert!(unpacked(&frame(&[block], false)).is_err(), "{block:?}");
        }
        assert!(unpacked(b"PK..").is_err() && unpacked(&frame(&[b"abc"], true)[..12]).is_err());
        // A bomb: one literal repeated beyond what a block holds.
        let mut bomb = vec![0x1f, b'x', 1, 0];
        bomb.extend([255; 400]);
        bomb.push(0);
        assert!(unpacked(&frame(&[&bomb], false)).is_err());
    }

    proptest! {
        #[test]
        fn any_block_comes_back(block in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = unpacked(&frame(&[&block], false));
            let _ = unpacked(&block);
        }
    }
}
