//! Programs of the operator: an argument list, no shell, no inherited environment, a deadline, bounded output.

use super::super::action::Target;
use super::{Deadline, Standing, Trouble};
use crate::sampling::discovery::identify::uuid_text;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use std::io::Read;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::JoinHandle;

/// What is kept of what a program says.
const OUTPUT_BYTES_MAX: u64 = 64 * 1024;
/// The only variable of our own environment that a program gets, besides those that name the VM.
const PATH_DEFAULT: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Whether there is a program to run.
pub(super) fn plan(command: &[String]) -> Result<(), Trouble> {
    match command.first() {
        Some(program) if !program.is_empty() => Ok(()),
        _ => Err(Trouble::Refused("the command names no program".to_owned())),
    }
}

/// Runs a program to its end and returns what it said.
pub(super) fn run(
    command: &[String],
    target: &Target,
    id: &str,
    deadline: Deadline,
) -> Result<String, Trouble> {
    let (status, said) = finish(command, &environment(target, id), "", deadline)?;
    let said = said.trim_end().to_owned();
    if status.success() {
        return Ok(said);
    }
    Err(Trouble::Failed(format!("{} ended with {status}: {said}", command[0])))
}

/// Runs the program that tells whether a command has had its effect.
pub(super) fn verify(command: &[String], target: &Target, id: &str, deadline: Deadline) -> Standing {
    if command.is_empty() {
        return Standing::Unknown("the playbook names no `verify` for this command".to_owned());
    }
    match finish(command, &environment(target, id), "", deadline) {
        Ok((status, said)) if status.success() => Standing::InForce(said.trim_end().to_owned()),
        Ok((status, said)) if status.code().is_some() => {
            Standing::NotInForce(format!("{status}: {}", said.trim_end()))
        }
        Ok((status, _)) => Standing::Unknown(format!("{} ended with {status}", command[0])),
        Err(trouble) => Standing::Unknown(trouble.to_string()),
    }
}

/// Runs a program with this on its standard input; its status, and the beginning of what it said on both outputs.
pub(super) fn finish(
    command: &[String],
    environment: &[(&str, String)],
    input: &str,
    deadline: Deadline,
) -> Result<(ExitStatus, String), Trouble> {
    let (program, arguments) =
        command.split_first().ok_or_else(|| Trouble::Refused("no program is named".to_owned()))?;
    let mut child = Command::new(program)
        .args(arguments)
        .env_clear()
        .env("PATH", std::env::var("PATH").unwrap_or_else(|_| PATH_DEFAULT.to_owned()))
        .env("LC_ALL", "C")
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // What it starts ends with it.
        .process_group(0)
        .spawn()
        .map_err(|error| Trouble::Refused(format!("{program}: {error}")))?;
    let outputs = [child.stdout.take().map(read_all), child.stderr.take().map(read_all)];
    if let Some(mut stdin) = child.stdin.take() {
        // A program that reads nothing closes it early; that is its own affair.
        let _ = std::io::Write::write_all(&mut stdin, input.as_bytes());
    }
    let ended = deadline.poll(|| child.try_wait().transpose());
    let status = match ended {
        Some(Ok(status)) => status,
        Some(Err(error)) => return Err(Trouble::Failed(format!("{program}: {error}"))),
        None => {
            kill(&mut child);
            return Err(Trouble::Failed(format!("{program} was not done in time, and was killed")));
        }
    };
    // Descendants that hold the pipes open are killed, so that the readers come to an end.
    kill(&mut child);
    let said: Vec<String> = outputs.into_iter().flatten().filter_map(|reader| reader.join().ok()).collect();
    Ok((status, said.concat()))
}

fn kill(child: &mut Child) {
    if let Ok(pid) = i32::try_from(child.id()) {
        let _ = killpg(Pid::from_raw(pid), Signal::SIGKILL);
    }
    let _ = child.wait();
}

fn read_all(mut pipe: impl Read + Send + 'static) -> JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = (&mut pipe).take(OUTPUT_BYTES_MAX).read_to_end(&mut bytes);
        // What is beyond is read, so that the program is not stopped by a full pipe, and not kept.
        let _ = std::io::copy(&mut pipe, &mut std::io::sink());
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

fn environment(target: &Target, id: &str) -> Vec<(&'static str, String)> {
    vec![
        ("BARTIZAN_ACTION", id.to_owned()),
        ("BARTIZAN_VM", target.name.clone()),
        ("BARTIZAN_VM_UUID", uuid_text(&target.uuid)),
        ("BARTIZAN_VM_PID", target.pid.to_string()),
        ("BARTIZAN_TENANT", target.tenant.clone()),
    ]
}
