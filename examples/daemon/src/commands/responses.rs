//! `bartizan responses` and `response`: asked of the daemon that runs, over its Unix socket.

use super::ask::{ask, by};
use crate::cli::{Common, ResponseCommand, ResponsesArgs};
use crate::exit::Failure;
use crate::view::paint::Paint;
use crate::view::table::Table;
use crate::view::units;
use serde_json::{Value, json};
use std::io::{self, Write};

/// How a response that has ended is called.
const ENDED: [&str; 4] = ["not-done", "complete", "failed", "needs-person"];

/// `bartizan responses`.
pub(super) fn list(common: &Common, args: &ResponsesArgs) -> Result<(), Failure> {
    let answer = ask(&args.socket, "GET", "/responses", None)?;
    let all = answer.as_array().map_or(&[][..], Vec::as_slice);
    let is_wanted = |response: &&Value| {
        let phase = response["phase"].as_str().unwrap_or_default();
        // What needs a person is not over for that person.
        args.all || phase == "needs-person" || !ENDED.contains(&phase)
    };
    let wanted: Vec<&Value> = all.iter().filter(is_wanted).collect();
    let mut out = io::stdout().lock();
    if args.json {
        for response in wanted {
            writeln!(out, "{response}")?;
        }
        return Ok(());
    }
    let paint = Paint::new(common.color);
    if wanted.is_empty() {
        writeln!(out, "nothing is in force, and nothing waits for anybody")?;
    } else {
        let mut table = Table::new(&[">ID", ">INCIDENT", "VM", "PLAYBOOK", "PHASE", "UNTIL", "STEPS", "WHY"]);
        for response in &wanted {
            table.row(row(paint, response));
        }
        table.write(&mut out, paint)?;
    }
    let hidden = all.len() - wanted.len();
    if hidden > 0 {
        writeln!(out, "and {hidden} that have ended: bartizan responses --all")?;
    }
    Ok(())
}

fn row(paint: Paint, response: &Value) -> Vec<String> {
    let text = |key: &str| units::printable(response[key].as_str().unwrap_or_default());
    let phase = match text("phase") {
        phase if matches!(phase.as_str(), "asked" | "failed" | "needs-person") => paint.bad(&phase),
        phase => phase,
    };
    let steps: Vec<String> = response["steps"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|step| {
            let word = |key: &str| units::printable(step[key].as_str().unwrap_or_default());
            format!("{}: {}", word("action"), word("state"))
        })
        .collect();
    vec![
        response["id"].to_string(),
        response["incident"].to_string(),
        text("vm"),
        text("playbook"),
        phase,
        text("until").get(..19).unwrap_or_default().replace('T', " "),
        steps.join(", "),
        text("why"),
    ]
}

/// `bartizan response`.
pub(super) fn one(command: &ResponseCommand) -> Result<(), Failure> {
    let (verb, done, args) = match command {
        ResponseCommand::Approve(args) => ("approve", "is approved", args),
        ResponseCommand::Decline(args) => ("decline", "is declined", args),
        ResponseCommand::End(args) => ("end", "is taken back", args),
    };
    let body = json!({ "by": by(args.by.as_deref()), "why": args.why });
    ask(&args.socket, "POST", &format!("/responses/{}/{verb}", args.id), Some(&body))?;
    writeln!(io::stdout(), "response {} {done}", args.id)?;
    Ok(())
}
