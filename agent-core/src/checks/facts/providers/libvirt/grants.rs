//! Polkit's rules, as far as they can be read without running them: which files let whom do an action without a
//! password (polkit(8)).

use crate::checks::fact::{Found, Unavailable, Value};
use crate::checks::facts::Gather;

/// Where rules are; a file of an earlier folder hides one of the same name.
const FOLDERS: [&str; 4] = [
    "/etc/polkit-1/rules.d",
    "/run/polkit-1/rules.d",
    "/usr/local/share/polkit-1/rules.d",
    "/usr/share/polkit-1/rules.d",
];

/// `polkit.grants:ACTION`
pub(super) fn grants(gather: &Gather, action: &str) -> Found {
    let mut seen: Vec<String> = Vec::new();
    let mut found: Vec<(String, String)> = Vec::new();
    for folder in FOLDERS {
        let names = match gather.list(folder) {
            Ok(names) => names,
            Err(Unavailable::Absent) => continue,
            Err(why) => return Found::unavailable(why, folder),
        };
        for name in names.into_iter().filter(|name| name.strip_suffix(".rules").is_some()) {
            if seen.contains(&name) {
                continue;
            }
            let path = format!("{folder}/{name}");
            seen.push(name);
            match gather.text(&path) {
                Ok(text) => found.extend(granted(&text, action).map(|whom| (path, whom))),
                Err(why) => return Found::unavailable(why, path),
            }
        }
    }
    Found::value(Value::Map(found), FOLDERS.join(", "))
}

/// Whom a file lets do an action; `None` when it does not speak of it or lets nobody.
fn granted(text: &str, action: &str) -> Option<String> {
    // Comments may name an action that no rule is about.
    let code: String =
        text.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n");
    // `org.libvirt.` of an indexOf or startsWith is of the action too.
    let family = action.split('.').take(2).collect::<Vec<_>>().join(".");
    let speaks = code.contains(action)
        || code.contains(&format!("\"{family}."))
        || code.contains(&format!("'{family}."));
    if !speaks || !code.contains("polkit.Result.YES") {
        return None;
    }
    let mut groups: Vec<&str> = Vec::new();
    for rest in code.split("isInGroup(").skip(1) {
        let mut parts = rest.splitn(3, ['"', '\'']);
        if let (Some(_), Some(group)) = (parts.next(), parts.next()) {
            groups.push(group);
        }
    }
    groups.sort_unstable();
    groups.dedup();
    // A file with as many answers as questions about the subject: each answer can have its own.
    let answers = code.matches("polkit.Result.YES").count();
    let asks = code.matches("isInGroup(").count() + code.matches("subject.user").count();
    Some(match (groups.is_empty(), asks) {
        _ if asks < answers => "anyone".to_owned(),
        (false, _) => format!("group {}", groups.join(", group ")),
        (true, _) => "user".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::granted;

    const ACTION: &str = "org.libvirt.unix.manage";

    #[test]
    fn a_group_is_told_and_an_answer_without_a_question_is_for_anyone() {
        let rule = |asks: &str| {
            format!(
                "polkit.addRule(function(action, subject) {{\n if (action.id == \"{ACTION}\"{asks}) {{\n return polkit.Result.YES;\n }}\n}});"
            )
        };
        assert_eq!(
            granted(&rule(" && subject.isInGroup(\"libvirt\")"), ACTION).as_deref(),
            Some("group libvirt")
        );
        assert_eq!(granted(&rule(" && subject.user == 'anna'"), ACTION).as_deref(), Some("user"));
        assert_eq!(granted(&rule(""), ACTION).as_deref(), Some("anyone"));
        assert_eq!(granted(&rule(" // subject.isInGroup(\"libvirt\")"), ACTION).as_deref(), Some("anyone"));
        assert_eq!(granted(&rule("").replace("YES", "AUTH_ADMIN"), ACTION), None);
        assert_eq!(granted(&rule("").replace("libvirt.unix", "systemd.x"), ACTION), None);
        assert_eq!(
            granted("action.id.indexOf('org.libvirt.') == 0 polkit.Result.YES", ACTION).as_deref(),
            Some("anyone")
        );
    }
}
