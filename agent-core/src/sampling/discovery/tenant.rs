//! Whose VM it is: the first rule whose pattern fits yields the tenant.
//!
//! A pattern fits a whole text. `*` stands for any characters, `{tenant}` for one or more characters other than `/`;
//! everything else stands for itself. Where a text can be split in several ways, `{tenant}` takes as little as fits:
//! `vm-{tenant}-*` finds `acme` in `vm-acme-web-1`.

use crate::config::{TenantField, TenantRule};

/// What is known of a VM when its tenant is looked for.
#[derive(Clone, Copy, Debug, Default)]
pub struct TenantFacts<'a> {
    /// The VM's name.
    pub name: &'a str,
    /// The path of its cgroup.
    pub cgroup: &'a str,
    /// The name of the user its VMM runs as, or the number when it has none.
    pub user: &'a str,
    /// The VMM's arguments, joined by spaces.
    pub cmdline: &'a str,
}

/// The tenant by the first rule that yields one; empty when none does.
#[must_use]
pub fn tenant(rules: &[TenantRule], facts: TenantFacts<'_>) -> String {
    rules
        .iter()
        .find_map(|rule| {
            let text = match rule.from {
                TenantField::Name => facts.name,
                TenantField::Cgroup => facts.cgroup,
                TenantField::User => facts.user,
                TenantField::Cmdline => facts.cmdline,
            };
            matched(&rule.pattern, cut(text))
        })
        .unwrap_or_default()
        .to_owned()
}

/// Matching takes time that grows with the square of the text: more than this is not looked at.
const TEXT_BYTES_MAX: usize = 4_096;

fn cut(text: &str) -> &str {
    let mut end = text.len().min(TEXT_BYTES_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// Where a tenant stands in a pattern.
const MARK: &str = "{tenant}";

/// The part of `text` that `{tenant}` stands for, when the pattern fits. A pattern without `{tenant}` yields nothing.
#[must_use]
pub fn matched<'a>(pattern: &str, text: &'a str) -> Option<&'a str> {
    let (before, after) = pattern.split_once(MARK)?;
    let after = Stars::new(after);
    // The shortest text that fits before the mark leaves the most for the rest, but any may be the one that fits.
    let before = Stars::new(before);
    let starts = text.char_indices().map(|(at, _)| at);
    for start in starts.filter(|start| before.fits(&text[..*start])) {
        for (offset, character) in text[start..].char_indices() {
            if character == '/' {
                break;
            }
            let end = start + offset + character.len_utf8();
            if after.fits(&text[end..]) {
                return Some(&text[start..end]);
            }
        }
    }
    None
}

/// A pattern of literal pieces with stars between them.
struct Stars<'a> {
    pieces: Vec<&'a str>,
}

impl<'a> Stars<'a> {
    fn new(pattern: &'a str) -> Self {
        Self { pieces: pattern.split('*').collect() }
    }

    /// Whether the whole text fits: first and last piece are anchored, those between are found from the left.
    fn fits(&self, text: &str) -> bool {
        let [first, middle @ .., last] = self.pieces.as_slice() else {
            return self.pieces.first().is_none_or(|only| *only == text);
        };
        let Some(rest) = text.strip_prefix(first) else { return false };
        let Some(mut rest) = rest.strip_suffix(last) else { return false };
        for piece in middle {
            let Some(at) = rest.find(piece) else { return false };
            rest = &rest[at + piece.len()..];
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn patterns_fit_whole_texts() {
        assert_eq!(matched("vm-{tenant}-*", "vm-acme-web-1"), Some("acme"));
        assert_eq!(
            matched("*/tenant-{tenant}.slice/*", "/machine.slice/tenant-a1.slice/vm.scope"),
            Some("a1")
        );
        assert_eq!(matched("{tenant}", "acme"), Some("acme"));
        assert_eq!(matched("{tenant}", ""), None);
        assert_eq!(matched("{tenant}", "a/b"), None, "a tenant holds no slash");
        assert_eq!(matched("vm-{tenant}", "xvm-acme"), None, "anchored at the start");
        assert_eq!(matched("{tenant}-vm", "acme-vm2"), None, "anchored at the end");
        assert_eq!(matched("no mark", "no mark"), None);
        assert_eq!(matched("*{tenant}é*", "ßaé"), Some("ßa"));
    }

    #[test]
    fn the_first_rule_that_yields_wins() {
        let rule = |from, pattern: &str| TenantRule { from, pattern: pattern.into() };
        let rules = [rule(TenantField::Name, "t-{tenant}-*"), rule(TenantField::User, "{tenant}")];
        let facts = |name| TenantFacts { name, user: "libvirt-qemu", ..TenantFacts::default() };
        assert_eq!(tenant(&rules, facts("t-acme-1")), "acme");
        assert_eq!(tenant(&rules, facts("other")), "libvirt-qemu");
        assert_eq!(tenant(&[], facts("t-acme-1")), "");
    }

    proptest! {
        #[test]
        fn a_tenant_put_in_is_found(prefix in "[a-z]{0,6}", tenant in "[A-Z0-9]{1,8}", suffix in "[a-z]{1,6}") {
            let text = format!("{prefix}-{tenant}-{suffix}");
            let pattern = format!("{prefix}-{{tenant}}-*");
            prop_assert_eq!(matched(&pattern, &text), Some(tenant.as_str()));
            prop_assert_eq!(matched("*-{tenant}-*", &text), Some(tenant.as_str()));
        }

        #[test]
        fn any_pattern_and_text_come_back(pattern in ".{0,24}", text in ".{0,48}") {
            let _ = matched(&pattern, &text);
            let _ = matched(&format!("{pattern}{{tenant}}{pattern}"), &text);
        }
    }
}
