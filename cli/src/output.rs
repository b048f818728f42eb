//! What goes to stdout: lines for people, or one JSON value for programs.

use std::io::{BufWriter, ErrorKind, IsTerminal, Stdout, Write, stdout};

use serde_json::Value;

use crate::arguments::Color;
use crate::failure::Failure;

/// What a colour says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paint {
    Good,
    Bad,
}

/// Stdout. A reader that closes it early, such as `head`, is no error.
pub struct Output {
    json: bool,
    color: bool,
    writer: BufWriter<Stdout>,
    refusal: Option<std::io::Error>,
}

impl Output {
    pub fn new(json: bool, color: Color) -> Self {
        let color = match color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => has_colors(),
        };
        Self { json, color, writer: BufWriter::new(stdout()), refusal: None }
    }

    /// Whether the answer is one JSON value.
    pub fn is_json(&self) -> bool {
        self.json
    }

    /// Whether colours may be written.
    pub fn has_color(&self) -> bool {
        self.color && !self.json
    }

    /// Whether the answer is read on a terminal.
    pub fn is_terminal(&self) -> bool {
        stdout().is_terminal()
    }

    /// A text in a colour, where colours may be written.
    pub fn painted(&self, paint: Paint, text: &str) -> String {
        let code = match paint {
            Paint::Good => "32",
            Paint::Bad => "31",
        };
        if self.has_color() { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    /// Writes bytes as they are.
    pub fn write(&mut self, bytes: &[u8]) {
        if self.refusal.is_none() {
            self.refusal = self.writer.write_all(bytes).err();
        }
    }

    /// Writes a line for people.
    pub fn line(&mut self, text: impl AsRef<str>) {
        if !self.json {
            self.write(text.as_ref().as_bytes());
            self.write(b"\n");
        }
    }

    /// Writes the value for programs: once, and only where such a value was asked for.
    pub fn json(&mut self, value: &Value) {
        if self.json {
            self.write(format!("{value:#}\n").as_bytes());
        }
    }

    /// Writes what is left. Refused is an output that can't be written, as on a full disk.
    pub fn finish(&mut self) -> Result<(), Failure> {
        let error = self.refusal.take().or_else(|| self.writer.flush().err());
        match error {
            Some(error) if error.kind() != ErrorKind::BrokenPipe => {
                Err(Failure::system("the output", "writing", &error))
            }
            _ => Ok(()),
        }
    }
}

/// Whether stdout is a terminal that has colours, and the user did not turn them off.
fn has_colors() -> bool {
    let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    stdout().is_terminal()
        && !is_set("NO_COLOR")
        && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}
