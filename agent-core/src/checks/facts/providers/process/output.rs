//! What a VM's process writes for people: a guest can make it write without end.

use super::{descriptors, limits};
use crate::checks::fact::{Found, Unavailable};
use crate::checks::facts::Gather;
use crate::checks::parse::proc::fdinfo::Access;
use crate::checks::parse::proc::limits::{Bound, Resource};
use crate::checks::pattern::like;
use crate::checks::vm::Vm;
use std::sync::Arc;

const LOGROTATE: &str = "/etc/logrotate.d";
const O_APPEND: u32 = 0o2000;

/// Files that it only adds to, each with what bounds it: `limit` (its largest file), `logrotate`, or `nothing`.
pub(super) fn files(gather: &Gather, vm: &Arc<Vm>, _: &str) -> Found {
    let source = vm.proc("fd");
    let descriptors = descriptors::all(gather, vm);
    let descriptors = match &*descriptors {
        Ok(descriptors) => descriptors,
        Err(why) => return Found::unavailable(why.clone(), source),
    };
    let limited = match &*limits::all(gather, vm) {
        Ok(limits) => matches!(limits.get(Resource::FileSize), Some(limit) if limit.soft != Bound::Unlimited),
        Err(why) => return Found::unavailable(why.clone(), source),
    };
    let mut files: Vec<(String, String)> = Vec::new();
    for descriptor in descriptors.iter().filter(|d| d.has_path() && d.kind() == "file") {
        let Some(info) = &descriptor.info else { continue };
        let adds = info.access() == Some(Access::Write)
            || (info.is_writable() == Some(true) && info.flags.is_some_and(|flags| flags & O_APPEND != 0));
        let path = descriptor.path();
        if adds && !files.iter().any(|(known, _)| known == path) {
            let bound = if limited {
                "limit"
            } else if rotated(gather, path) {
                "logrotate"
            } else {
                "nothing"
            };
            files.push((path.to_owned(), bound.to_owned()));
        }
    }
    if files.is_empty() {
        return Found::unavailable(Unavailable::Absent, source);
    }
    files.sort();
    Found::value(files, source)
}

fn rotated(gather: &Gather, path: &str) -> bool {
    let patterns = gather.memo::<Vec<String>>(LOGROTATE, |gather| {
        let names = gather.list(LOGROTATE).unwrap_or_default();
        let texts = names.iter().filter_map(|name| gather.text(&format!("{LOGROTATE}/{name}")).ok());
        let words = |text: String| {
            let words = text.split_whitespace().map(|word| word.trim_matches(['"', '{']).to_owned());
            words.filter(|word| word.starts_with('/')).collect::<Vec<_>>()
        };
        texts.flat_map(words).collect()
    });
    patterns.iter().any(|pattern| like(pattern, path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::fact::Value;
    use crate::checks::facts::providers::process::tests::{Recorded, vm};

    #[test]
    fn a_log_needs_something_that_bounds_it() {
        let host = Recorded::new();
        host.process(100).link("proc/100/fd/1", "/var/log/vm/a.log").file("var/log/vm/a.log", "");
        host.link("proc/100/fd/2", "/var/images/a.img").file("var/images/a.img", "");
        host.file("proc/100/fdinfo/1", "flags:\t0102001\n").file("proc/100/fdinfo/2", "flags:\t0100002\n");
        let limits =
            |size: &str| format!("Max file size             {size}            unlimited            bytes\n");
        let value = |size: &str| {
            host.file("proc/100/limits", limits(size));
            files(&host.gather(&[]), &vm(100), "").value
        };
        let said = |bound: &str| Ok(Value::Map(vec![("/var/log/vm/a.log".to_owned(), bound.to_owned())]));
        assert_eq!(value("unlimited"), said("nothing"));
        assert_eq!(value("1048576"), said("limit"));
        host.file("etc/logrotate.d/vm", "/var/log/vm/*.log {\n  daily\n}\n");
        assert_eq!(value("unlimited"), said("logrotate"));
    }
}
