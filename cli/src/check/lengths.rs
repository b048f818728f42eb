//! Degrees that lengths allow which are in no file: heads, experts, blocks of quantised weights.

use shardspec::model::{Cut, LengthCut, Rule, RuleKind, Segments, check_degrees};

use super::report::Degrees;
use crate::Answer;
use crate::failure::Failure;
use crate::output::Output;

/// A length that has to divide.
struct Length {
    name: String,
    length: i64,
    cut: Cut,
}

pub fn run(texts: &[String], max_degree: i64, output: &mut Output) -> Answer {
    let mut lengths = Vec::new();
    for text in texts {
        lengths.push(parse(text).map_err(|problem| {
            Failure::usage(format!("--length {text:?}: {problem}")).hint(
                "write NAME=LENGTH, and what cuts have to respect: heads=32, kv_heads=8:repeat, \
                 hidden=4096:granule=128",
            )
        })?);
    }
    let cuts: Vec<LengthCut<'_>> =
        lengths.iter().map(|own| LengthCut { length: own.length, cut: &own.cut }).collect();
    // Refuses numbers that are wrong for every degree.
    check_degrees(&cuts, max_degree).map_err(|error| Failure::of("--length", &error))?;
    let mut degrees = Degrees::default();
    for degree in 1..=max_degree {
        let mut reasons = std::collections::BTreeMap::<String, Vec<String>>::new();
        for Length { name, length, cut } in &lengths {
            if let Err(error) = cut.check_length(*length, degree) {
                reasons.entry(super::degrees::reason(&error)).or_default().push(name.clone());
            }
        }
        degrees.reasons.push(reasons);
    }
    degrees.print("all lengths", output)
}

/// A length of a text: `kv_heads=8:repeat`.
fn parse(text: &str) -> Result<Length, String> {
    let (name, rest) = text.split_once('=').ok_or("it has no '='")?;
    let mut parts = rest.split(':').map(str::trim);
    let number =
        |text: &str| text.trim().parse::<i64>().map_err(|_| format!("{text:?} is no number"));
    let length = number(parts.next().unwrap_or_default())?;
    let mut rule = Rule { even: true, ..RuleKind::Chunk.into() };
    for part in parts {
        match part.split_once('=').map_or((part, None), |(name, value)| (name, Some(value))) {
            ("repeat", None) => rule.repeat = Rule::REPEAT_AS_NEEDED,
            ("repeat", Some(value)) => rule.repeat = number(value)?,
            ("granule", Some(value)) => rule.granule = number(value)?,
            _ => return Err(format!("{part:?} is neither 'repeat' nor 'granule=N'")),
        }
    }
    Ok(Length { name: name.trim().to_owned(), length, cut: Cut { rule, segments: Segments::One } })
}
