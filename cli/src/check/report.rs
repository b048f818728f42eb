//! What forbids degrees, as a text and for programs.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::Answer;
use crate::output::Output;
use crate::units;

/// Names of tensors that one line has.
const MAX_NAMES: usize = 3;

/// For each degree from 1 on, why it is not legal: reasons, and what each of them is about.
#[derive(Debug, Default)]
pub struct Degrees {
    pub reasons: Vec<BTreeMap<String, Vec<String>>>,
}

impl Degrees {
    /// Prints all of them. Whether a degree of more than 1 is legal.
    pub fn print(&self, subject: &str, output: &mut Output) -> Answer {
        let legal: Vec<usize> = (1..)
            .zip(&self.reasons)
            .filter(|(_, reasons)| reasons.is_empty())
            .map(|(degree, _)| degree)
            .collect();
        let list: Vec<String> = legal.iter().map(usize::to_string).collect();
        let none = if list.is_empty() { "none" } else { "" };
        output.line(format!("legal degrees of {subject}: {}{none}", list.join(", ")));
        for (degree, reasons) in (1..).zip(&self.reasons).filter(|(_, own)| !own.is_empty()) {
            for (reason, names) in reasons {
                output.line(format!("  {degree:>3}: {reason} ({})", shortened(names)));
            }
        }
        let forbidden: Vec<Value> = (1..)
            .zip(&self.reasons)
            .filter(|(_, reasons)| !reasons.is_empty())
            .map(|(degree, reasons)| {
                let reasons: Vec<Value> = reasons
                    .iter()
                    .map(|(reason, names)| json!({"message": reason, "names": names}))
                    .collect();
                json!({"degree": degree, "reasons": reasons})
            })
            .collect::<Vec<Value>>();
        output.json(&json!({
            "axis": subject,
            "max_degree": self.reasons.len(),
            "legal": legal,
            "forbidden": forbidden,
        }));
        Ok(legal.iter().any(|degree| *degree > 1) || self.reasons.len() == 1)
    }
}

/// Some names, and how many others there are.
fn shortened(names: &[String]) -> String {
    let shown: Vec<&str> = names.iter().take(MAX_NAMES).map(String::as_str).collect();
    match names.len().saturating_sub(shown.len()) {
        0 => shown.join(", "),
        more => format!("{} and {}", shown.join(", "), units::count(more, "other")),
    }
}
