//! `/proc/PID/ksm_stat`: whether a process's pages are merged with those of others. (The kernel's
//! `Documentation/admin-guide/mm/ksm.rst` and `Documentation/filesystems/proc.rst`; Linux 6.1, the words since 6.13.)

use super::{Malformed, decimal, lines, words};

/// What `ksm_stat` says; a line that is not there is `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KsmStat {
    /// Pages that are watched for equals.
    pub rmap_items: Option<u64>,
    /// Pages that are merged with others now.
    pub merging_pages: Option<u64>,
    /// Pages replaced by the kernel's zero page.
    pub zero_pages: Option<u64>,
    /// Bytes saved; less than nothing when it costs more than it saves.
    pub process_profit_bytes: Option<i64>,
    /// Whether the whole process was offered (prctl(2), `PR_SET_MEMORY_MERGE`).
    pub merge_any: Option<bool>,
    /// Whether anything of it is offered for merging.
    pub mergeable: Option<bool>,
}

/// Takes a `ksm_stat` file apart. Unknown lines are passed over.
///
/// # Errors
/// When a known line's value is not one.
pub fn parse(bytes: &[u8]) -> Result<KsmStat, Malformed> {
    let mut stat = KsmStat::default();
    for (line, content) in lines(bytes) {
        let mut words = words(content);
        let Some(key) = words.next() else { continue };
        let value = words.next().unwrap_or_default();
        let wrong = |field| Malformed { line, field };
        let count = |field| decimal(value).map(Some).ok_or(wrong(field));
        let yes = |field| match value {
            b"yes" => Ok(Some(true)),
            b"no" => Ok(Some(false)),
            _ => Err(wrong(field)),
        };
        match key {
            b"ksm_rmap_items" => stat.rmap_items = count("ksm_rmap_items")?,
            b"ksm_merging_pages" => stat.merging_pages = count("ksm_merging_pages")?,
            b"ksm_zero_pages" => stat.zero_pages = count("ksm_zero_pages")?,
            b"ksm_process_profit" => {
                let profit = std::str::from_utf8(value).ok().and_then(|value| value.parse().ok());
                stat.process_profit_bytes = Some(profit.ok_or(wrong("ksm_process_profit"))?);
            }
            b"ksm_merge_any:" => stat.merge_any = yes("ksm_merge_any")?,
            b"ksm_mergeable:" => stat.mergeable = yes("ksm_mergeable")?,
            _ => {}
        }
    }
    Ok(stat)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_qemu_that_offers_its_memory() {
        let stat = parse(
            b"ksm_rmap_items 262144\nksm_zero_pages 0\nksm_merging_pages 4096\nksm_process_profit -64\n\
            ksm_merge_any: no\nksm_mergeable: yes\n",
        );
        let expected = KsmStat {
            rmap_items: Some(262_144),
            merging_pages: Some(4096),
            zero_pages: Some(0),
            process_profit_bytes: Some(-64),
            merge_any: Some(false),
            mergeable: Some(true),
        };
        assert_eq!(stat, Ok(expected));
    }

    #[test]
    fn older_and_newer_kernels() {
        let old = parse(b"ksm_rmap_items 1\nksm_future 7 8\n").expect("a stat");
        assert_eq!((old.rmap_items, old.mergeable, old.merging_pages), (Some(1), None, None));
        let wrong = Malformed { line: 2, field: "ksm_mergeable" };
        assert_eq!(parse(b"ksm_rmap_items 1\nksm_mergeable: maybe\n"), Err(wrong));
        assert!(parse(b"ksm_rmap_items\n").is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_come_back(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&bytes);
            let _ = parse(&[b"ksm_process_profit ", &bytes[..]].concat());
        }
    }
}
