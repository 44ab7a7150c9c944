//! The kernel's command line: `/proc/cmdline`, and what a boot loader would pass (kernel-parameters.txt).

use super::text::ENTRIES_MAX;

/// One parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// Its name as written.
    pub name: String,
    /// What follows the first `=`, without quotes around it; `None` without a `=`.
    pub value: Option<String>,
}

/// A command line in its order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cmdline {
    /// What is for the kernel.
    pub parameters: Vec<Parameter>,
    /// What follows ` -- `, which is for init alone.
    pub init: Vec<String>,
    /// Whether a quote does not end, or parameters were left out because there are too many.
    pub broken: bool,
}

impl Cmdline {
    /// Splits a command line as the kernel's `next_arg` does: at spaces outside double quotes.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut line = Self::default();
        let mut words = Words { rest: text, broken: false };
        let mut for_init = false;
        for word in words.by_ref() {
            let count = line.parameters.len() + line.init.len();
            if count >= ENTRIES_MAX {
                line.broken = true;
            } else if for_init {
                line.init.push(word.to_owned());
            } else if word == "--" {
                for_init = true;
            } else {
                line.parameters.push(parameter(word));
            }
        }
        line.broken |= words.broken;
        line
    }

    /// Every value of a parameter in order, `None` for one without a `=`. In names `-` and `_` are the same, upper
    /// and lower case are not.
    pub fn values(&self, name: &str) -> impl Iterator<Item = Option<&str>> {
        self.parameters
            .iter()
            .filter(move |parameter| same_name(&parameter.name, name))
            .map(|parameter| parameter.value.as_deref())
    }

    /// The last value of a parameter, which for most of them is the one that counts; `None` when it is absent or
    /// has no `=`.
    #[must_use]
    pub fn last(&self, name: &str) -> Option<&str> {
        self.values(name).last().flatten()
    }

    /// Whether a parameter is there, with or without a value.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.values(name).next().is_some()
    }

    /// What `mitigations=` asks of the kernel.
    #[must_use]
    pub fn mitigations(&self) -> Mitigations {
        let mut found = Mitigations::default();
        for value in self.values("mitigations") {
            found.apply(value.unwrap_or_default());
        }
        found
    }
}

/// Whether two names are the same to the kernel.
#[must_use]
pub fn same_name(a: &str, b: &str) -> bool {
    let plain = |byte: u8| if byte == b'-' { b'_' } else { byte };
    a.bytes().map(plain).eq(b.bytes().map(plain))
}

struct Words<'t> {
    rest: &'t str,
    broken: bool,
}

impl<'t> Iterator for Words<'t> {
    type Item = &'t str;

    fn next(&mut self) -> Option<&'t str> {
        let rest = self.rest.trim_ascii_start();
        if rest.is_empty() {
            return None;
        }
        let mut quoted = false;
        let end = rest.bytes().position(|byte| {
            quoted ^= byte == b'"';
            byte.is_ascii_whitespace() && !quoted
        });
        self.broken |= quoted;
        let (word, after) = rest.split_at(end.unwrap_or(rest.len()));
        self.rest = after;
        Some(word)
    }
}

/// Quotes around a whole word or around a value go; those within stay.
fn parameter(word: &str) -> Parameter {
    let (word, whole) = match word.strip_prefix('"') {
        Some(inner) => (inner, true),
        None => (word, false),
    };
    let end = |text: &'_ str| text.strip_suffix('"').unwrap_or(text).to_owned();
    // A `=` at the beginning belongs to the name.
    let at = word.bytes().skip(1).position(|byte| byte == b'=').map(|at| at + 1);
    match at.and_then(|at| word.split_at_checked(at)) {
        Some((name, value)) => {
            let value = value.strip_prefix('=').unwrap_or(value);
            let value = match value.strip_prefix('"') {
                Some(inner) => end(inner),
                None if whole => end(value),
                None => value.to_owned(),
            };
            Parameter { name: name.to_owned(), value: Some(value) }
        }
        None => Parameter { name: if whole { end(word) } else { word.to_owned() }, value: None },
    }
}

/// A way in that mitigations of the CPU's flaws guard (`attack_vector_controls.rst`, since Linux 6.17).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AttackVector {
    /// `no_user_kernel`.
    UserKernel,
    /// `no_user_user`.
    UserUser,
    /// `no_guest_host`: on a host of VMs, the one that matters most.
    GuestHost,
    /// `no_guest_guest`.
    GuestGuest,
    /// `no_cross_thread`: between the threads of one core.
    CrossThread,
}

impl AttackVector {
    const OPTIONS: [(&'static str, Self); 5] = [
        ("no_user_kernel", Self::UserKernel),
        ("no_user_user", Self::UserUser),
        ("no_guest_host", Self::GuestHost),
        ("no_guest_guest", Self::GuestGuest),
        ("no_cross_thread", Self::CrossThread),
    ];

    /// The option that drops it.
    #[must_use]
    pub fn option(self) -> &'static str {
        Self::OPTIONS.iter().find(|(_, vector)| *vector == self).map_or("", |(option, _)| option)
    }
}

/// What `mitigations=` asks for. Without it: everything but turning SMT off.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mitigations {
    /// The last word was `off`: nothing is mitigated, unless a flaw's own parameter says otherwise.
    pub off: bool,
    /// `auto,nosmt`: SMT is turned off where a flaw needs it.
    pub nosmt: bool,
    /// Vectors no longer guarded, in order, each once; all of them after an `off`, since a later `auto` does not
    /// bring them back. A kernel before 6.17 refuses the whole value instead, and mitigates as if it were absent.
    pub dropped: Vec<AttackVector>,
    /// What the kernel does not understand. It says so in its log and goes on.
    pub unknown: Vec<String>,
}

impl Mitigations {
    fn apply(&mut self, value: &str) {
        // In the kernel's order: a longer word before its beginning.
        let known = ["auto,nosmt", "auto", "off"];
        let word = known.into_iter().find(|word| value.starts_with(word));
        let rest = word.and_then(|word| value.strip_prefix(word)).unwrap_or(value);
        match word {
            Some("off") => {
                (self.off, self.nosmt) = (true, false);
                for (_, vector) in AttackVector::OPTIONS {
                    self.drop(vector);
                }
            }
            Some("auto,nosmt") => (self.off, self.nosmt) = (false, true),
            Some(_) => self.off = false,
            None => {}
        }
        if rest.is_empty() && word.is_some() {
            return;
        }
        let Some(options) = rest.strip_prefix(',') else { return self.unknown.push(value.to_owned()) };
        for option in options.split(',') {
            match AttackVector::OPTIONS.iter().find(|(name, _)| *name == option) {
                Some((_, vector)) => self.drop(*vector),
                None => self.unknown.push(option.to_owned()),
            }
        }
    }

    fn drop(&mut self, vector: AttackVector) {
        if vector == AttackVector::CrossThread {
            self.nosmt = false;
        }
        if let Err(at) = self.dropped.binary_search(&vector) {
            self.dropped.insert(at, vector);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn words_are_the_kernel_s() {
        let line = Cmdline::parse(
            "BOOT_IMAGE=/vmlinuz root=UUID=1-2 ro  quiet dyndbg=\"file a.c +p\" \"x=1 2\" kvm-intel.nested=0 \
             kvm_intel.nested=1 Mitigations=off rd.luks=\"a -- b\" =odd -- single mitigations=off\n",
        );
        assert_eq!(line.last("root"), Some("UUID=1-2"));
        assert_eq!(line.last("dyndbg"), Some("file a.c +p"));
        assert_eq!(line.last("x"), Some("1 2"));
        assert_eq!(line.values("kvm_intel.nested").collect::<Vec<_>>(), [Some("0"), Some("1")]);
        assert_eq!(line.values("quiet").collect::<Vec<_>>(), [None]);
        assert!(line.has("=odd") && !line.has("mitigations") && !line.broken);
        assert_eq!(line.init, ["single", "mitigations=off"]);
        assert!(Cmdline::parse("a=\"b c").broken);
    }

    #[test]
    fn mitigations_are_typed() {
        use AttackVector::{CrossThread, GuestGuest, GuestHost};
        let read = |text: &str| Cmdline::parse(text).mitigations();
        assert_eq!(read("quiet"), Mitigations::default());
        assert_eq!(read("mitigations=auto"), Mitigations::default());
        assert!(read("mitigations=auto,nosmt").nosmt);
        let vectors = read("mitigations=auto,no_guest_host,no_guest_guest");
        assert_eq!(
            (vectors.off, vectors.nosmt, vectors.dropped),
            (false, false, vec![GuestHost, GuestGuest])
        );
        let threads = read("mitigations=auto,nosmt,no_cross_thread");
        assert_eq!((threads.nosmt, threads.dropped), (false, vec![CrossThread]));
        // What was dropped stays so.
        let twice = read("mitigations=off mitigations=auto");
        assert_eq!((twice.off, twice.dropped.len()), (false, 5));
        assert_eq!(read("mitigations=auto,no_smt").unknown, ["no_smt"]);
        assert_eq!(read("mitigations=no_guest_host").unknown, ["no_guest_host"]);
        assert_eq!(read("mitigations").unknown, [""]);
        assert_eq!(GuestHost.option(), "no_guest_host");
    }

    proptest! {
        #[test]
        fn any_text_comes_back(text in "[a-c=\"\\- ,]{0,60}|.{0,40}") {
            let line = Cmdline::parse(&text);
            prop_assert!(line.parameters.len() + line.init.len() <= text.len());
            let _ = Cmdline::parse(&format!("mitigations={text}")).mitigations();
        }

        #[test]
        fn the_last_of_plain_values_wins(values in prop::collection::vec("[a-z0-9,]{1,8}", 1..6)) {
            let text: Vec<_> = values.iter().map(|value| format!("some-key={value}")).collect();
            let line = Cmdline::parse(&text.join(" "));
            prop_assert_eq!(line.last("some_key"), values.last().map(String::as_str));
        }
    }
}
