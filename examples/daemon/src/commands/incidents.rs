//! `bartizan incidents`, `incident` and `silence`: asked of the daemon that runs, over its Unix socket.

use super::ask::{ask, by};
use crate::cli::{CloseArgs, Common, IncidentCommand, IncidentsArgs, SilenceAdd, SilenceCommand, StepArgs};
use crate::exit::{Code, Failure};
use crate::view::paint::Paint;
use crate::view::table::Table;
use crate::view::units;
use serde_json::{Value, json};
use std::io::{self, Write};
use std::time::SystemTime;

/// Characters of a message in the list.
const WHAT_CHARS_MAX: usize = 80;

/// `bartizan incidents`.
pub(super) fn list(common: &Common, args: &IncidentsArgs) -> Result<(), Failure> {
    let answer = ask(&args.socket, "GET", "/incidents", None)?;
    let mut out = io::stdout().lock();
    if args.json {
        let incidents = answer["incidents"].as_array().into_iter().flatten();
        for incident in incidents.filter(|incident| is_wanted(args, incident)) {
            writeln!(out, "{incident}")?;
        }
        return Ok(());
    }
    let paint = Paint::new(common.color);
    let mut table = Table::new(&[">ID", "SEVERITY", "STATE", "NOW", "SINCE", ">SIGNALS", "ABOUT", "WHAT"]);
    let mut hidden = 0;
    for incident in answer["incidents"].as_array().into_iter().flatten().rev() {
        if !is_wanted(args, incident) {
            hidden += 1;
            continue;
        }
        let text = |key: &str| units::printable(incident[key].as_str().unwrap_or_default());
        // What managers ask for first of a closed one is the verdict.
        let state = match incident["closure"]["verdict"].as_str() {
            Some(verdict) => format!("closed, {verdict}"),
            None => text("state"),
        };
        table.row(vec![
            incident["incident"].to_string(),
            severity(paint, &text("severity")),
            state,
            if incident["firing"] == true { paint.bad("firing") } else { "over".to_owned() },
            text("opened").get(..19).unwrap_or_default().replace('T', " "),
            incident["count"].to_string(),
            units::printable(incident["resource"]["name"].as_str().unwrap_or_default()),
            shortened(&text("message")),
        ]);
    }
    if answer["incidents"].as_array().is_none_or(|all| all.len() == hidden) {
        writeln!(out, "no incident is open")?;
    } else {
        table.write(&mut out, paint)?;
    }
    if hidden > 0 {
        writeln!(out, "and {hidden} closed ones: bartizan incidents --all")?;
    }
    let silences = answer["silences"].as_array().map_or(0, Vec::len);
    if silences > 0 {
        writeln!(out, "silences in force: {silences}; see: bartizan silence list")?;
    }
    Ok(())
}

fn is_wanted(args: &IncidentsArgs, incident: &Value) -> bool {
    args.all || incident["state"] != "closed"
}

/// A line of a table; all of it is in `incident show`.
fn shortened(text: &str) -> String {
    if text.chars().count() <= WHAT_CHARS_MAX {
        return text.to_owned();
    }
    text.chars().take(WHAT_CHARS_MAX - 1).chain(['…']).collect()
}

fn severity(paint: Paint, word: &str) -> String {
    if word == "critical" { paint.bad(word) } else { word.to_owned() }
}

/// `bartizan incident`.
pub(super) fn one(common: &Common, command: &IncidentCommand) -> Result<(), Failure> {
    let (socket, id, verb, body) = match command {
        IncidentCommand::Show { id, json, socket } => {
            let incident = ask(socket, "GET", &format!("/incidents/{id}"), None)?;
            return show(common, &incident, *json);
        }
        IncidentCommand::Ack(args) => (&args.socket, args.id, "ack", step(args)),
        IncidentCommand::Contain(args) => (&args.socket, args.id, "contain", step(args)),
        IncidentCommand::Recover(args) => (&args.socket, args.id, "recover", step(args)),
        IncidentCommand::Reopen(args) => (&args.socket, args.id, "reopen", step(args)),
        IncidentCommand::Close(args) => (&args.step.socket, args.step.id, "close", close(args)),
    };
    let incident = ask(socket, "POST", &format!("/incidents/{id}/{verb}"), Some(&body))?;
    let by = units::printable(incident["by"].as_str().unwrap_or_default());
    let state = incident["state"].as_str().unwrap_or_default();
    writeln!(io::stdout(), "incident {id} is {state}, by {by}")?;
    Ok(())
}

fn step(args: &StepArgs) -> Value {
    json!({ "by": by(args.by.as_deref()), "note": args.note })
}

fn close(args: &CloseArgs) -> Value {
    let mut body = step(&args.step);
    body["verdict"] = json!(args.verdict);
    body["root_cause"] = json!(args.root_cause);
    body["response"] = json!(args.response);
    body["outcome"] = json!(args.outcome);
    body
}

fn show(common: &Common, incident: &Value, json: bool) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    if json {
        writeln!(out, "{incident:#}")?;
        return Ok(());
    }
    let paint = Paint::new(common.color);
    let text = |key: &str| units::printable(incident[key].as_str().unwrap_or_default());
    let now =
        if incident["firing"] == true { paint.bad("firing") } else { format!("over since {}", text("over")) };
    writeln!(
        out,
        "incident {}  {}  {}, {now}",
        incident["incident"],
        severity(paint, &text("severity")),
        paint.bold(&text("state"))
    )?;
    writeln!(out, "  {}", text("message"))?;
    let resource = &incident["resource"];
    let tenant = resource["tenant"].as_str().filter(|tenant| !tenant.is_empty());
    let tenant = tenant.map_or(String::new(), |tenant| format!("  tenant {}", units::printable(tenant)));
    let name = units::printable(resource["name"].as_str().unwrap_or_default());
    writeln!(out, "  about {name}{tenant}  cause {}  opened {}", text("cause"), text("opened"))?;
    if !text("by").is_empty() {
        let note = if text("note").is_empty() { String::new() } else { format!(": {}", text("note")) };
        writeln!(out, "  {} by {} at {}{note}", text("state"), text("by"), text("state_since"))?;
    }
    if let Some(closure) = incident["closure"].as_object() {
        for (key, value) in closure {
            writeln!(
                out,
                "  {:<10} {}",
                key.replace('_', " "),
                units::printable(value.as_str().unwrap_or_default())
            )?;
        }
    }
    writeln!(out, "conditions")?;
    for member in incident["conditions"].as_array().into_iter().flatten() {
        let text = |key: &str| units::printable(member[key].as_str().unwrap_or_default());
        let now = match (member["flapping"] == true, member["firing"] == true) {
            (true, _) => "flapping",
            (_, true) => "firing",
            _ => "over",
        };
        writeln!(
            out,
            "  {now:<8} {:<8} {} {} {}  ×{}  last {}",
            text("severity"),
            text("detector"),
            text("subject"),
            text("part"),
            member["count"],
            text("last")
        )?;
    }
    if incident["conditions_left_out"] != 0 {
        writeln!(out, "  and {} more", incident["conditions_left_out"])?;
    }
    evidence(&mut out, incident)
}

fn evidence(out: &mut impl Write, incident: &Value) -> Result<(), Failure> {
    writeln!(out, "evidence, as it was when the incident opened")?;
    for piece in incident["evidence"].as_array().into_iter().flatten() {
        let text = |key: &str| units::printable(piece[key].as_str().unwrap_or_default());
        let points = piece["points"].as_array().map_or(&[][..], Vec::as_slice);
        let values: Vec<String> =
            points.iter().rev().take(8).rev().map(|point| point[1].to_string()).collect();
        let series = if points.is_empty() {
            String::new()
        } else {
            format!("{} values, the last: {}", points.len(), values.join(" "))
        };
        writeln!(out, "  {:<28} {}{series}", text("name"), text("text"))?;
        if !text("cut").is_empty() {
            writeln!(out, "  {:<28} left out: {}", "", text("cut"))?;
        }
    }
    Ok(())
}

/// `bartizan silence`.
pub(super) fn silence(common: &Common, command: &SilenceCommand) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match command {
        SilenceCommand::Add(args) => {
            let answer = ask(&args.socket, "POST", "/silences", Some(&silence_body(args)?))?;
            writeln!(out, "silence {} holds for {}", answer["id"], args.time)?;
        }
        SilenceCommand::End { id, by: given, socket } => {
            let body = json!({ "by": by(given.as_deref()) });
            ask(socket, "POST", &format!("/silences/{id}/end"), Some(&body))?;
            writeln!(out, "silence {id} has ended")?;
        }
        SilenceCommand::List { json, socket } => {
            let answer = ask(socket, "GET", "/silences", None)?;
            let silences = answer["silences"].as_array().map_or(&[][..], Vec::as_slice);
            if *json {
                for silence in silences {
                    writeln!(out, "{silence}")?;
                }
            } else if silences.is_empty() {
                writeln!(out, "nothing is silenced")?;
            } else {
                let mut table = Table::new(&[">ID", "UNTIL", "BY", "WHAT", "WHY"]);
                for silence in silences {
                    table.row(silence_row(silence));
                }
                table.write(&mut out, Paint::new(common.color))?;
            }
        }
    }
    Ok(())
}

fn silence_row(silence: &Value) -> Vec<String> {
    let text = |key: &str| units::printable(silence[key].as_str().unwrap_or_default());
    let what: Vec<String> = ["source", "tenant", "vm", "detector", "cause"]
        .into_iter()
        .filter(|key| !text(key).is_empty())
        .map(|key| format!("{key}={}", text(key)))
        .collect();
    vec![silence["id"].to_string(), text("until"), text("by"), what.join(" "), text("reason")]
}

fn silence_body(args: &SilenceAdd) -> Result<Value, Failure> {
    let wrong = || Failure::new(Code::Usage, format!("--for {}: that is no time from now", args.time));
    let until = SystemTime::now().checked_add(*args.time).ok_or_else(wrong)?;
    let since_epoch = until.duration_since(SystemTime::UNIX_EPOCH).map_err(|_| wrong())?;
    let until_ns = i64::try_from(since_epoch.as_nanos()).map_err(|_| wrong())?;
    Ok(json!({
        "by": by(args.by.as_deref()),
        "reason": args.reason,
        "until_ns": until_ns,
        "source": args.source.as_deref().unwrap_or_default(),
        "tenant": args.tenant.as_deref().unwrap_or_default(),
        "vm": args.vm.as_deref().unwrap_or_default(),
        "detector": args.detector.as_deref().unwrap_or_default(),
        "cause": args.cause.as_deref().unwrap_or_default(),
    }))
}
