//! A small blocking QMP client, for tests that ask QEMU itself.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use crate::error::{Doing, Error, Result};

/// A connection on which capabilities have been negotiated.
#[derive(Debug)]
pub struct Qmp {
    reader: BufReader<UnixStream>,
}

impl Qmp {
    /// Connects to a QMP socket and leaves capabilities negotiation behind. Each answer is waited for ten
    /// seconds at most.
    pub fn connect(path: &Path) -> Result<Self> {
        let stream = UnixStream::connect(path).doing(|| format!("connect to {}", path.display()))?;
        stream.set_read_timeout(Some(Duration::from_secs(10))).doing(|| "set a timeout on the QMP socket")?;
        let mut qmp = Self { reader: BufReader::new(stream) };
        qmp.line()?;
        qmp.execute("qmp_capabilities", &json!({}))?;
        Ok(qmp)
    }

    /// Runs one command and gives its `return` member; events that come before the answer are passed over.
    pub fn execute(&mut self, command: &str, arguments: &Value) -> Result<Value> {
        let request = json!({ "execute": command, "arguments": arguments }).to_string() + "\n";
        self.reader.get_mut().write_all(request.as_bytes()).doing(|| format!("send QMP {command}"))?;
        loop {
            let mut answer = self.line()?;
            if let Some(value) = answer.get_mut("return") {
                return Ok(value.take());
            }
            if let Some(error) = answer.get("error") {
                return Err(Error::new(format!("QMP {command}"), error.to_string()));
            }
        }
    }

    fn line(&mut self) -> Result<Value> {
        let mut line = String::new();
        let count = self.reader.read_line(&mut line).doing(|| "read from the QMP socket")?;
        if count == 0 {
            return Err(Error::new("read from the QMP socket", "closed by QEMU"));
        }
        serde_json::from_str(&line).map_err(|error| Error::new("parse a QMP line", error.to_string()))
    }
}
