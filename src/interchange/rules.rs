//! Rules of cuts.

use super::json::{JsonReader, JsonWriter};
use crate::error::Result;
use crate::memory::{Memory, Shown, TryVec, text};
use crate::model::{Rule, RuleKind};

/// Writes the fields of a rule; those that have their usual value are left out, and if `may_omit`, the name
/// of the usual rule too.
pub(super) fn write(json: &mut JsonWriter, rule: &Rule, may_omit: bool) -> Memory<()> {
    if !(may_omit && rule.kind == RuleKind::Chunk) {
        json.field("rule")?;
        json.text(rule.kind.name())?;
    }
    match &rule.kind {
        RuleKind::Chunk | RuleKind::Balanced => {}
        RuleKind::Sizes(values) | RuleKind::Weights(values) => {
            // The field has the name of the rule.
            json.field(rule.kind.name())?;
            json.numbers(values.iter().copied())?;
        }
        RuleKind::Cyclic { block, first } => {
            json.field("block")?;
            json.number(*block)?;
            write_unless(json, "first", *first, 0)?;
        }
    }
    write_unless(json, "granule", rule.granule, 1)?;
    write_unless(json, "repeat", rule.repeat, 1)?;
    if rule.even {
        json.field("even")?;
        json.write("true")?;
    }
    Ok(())
}

/// Writes a field whose value is not the usual one.
fn write_unless(json: &mut JsonWriter, name: &str, value: i64, usual: i64) -> Memory<()> {
    if value == usual {
        return Ok(());
    }
    json.field(name)?;
    json.number(value)
}

/// The rules by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RuleName {
    Chunk,
    Balanced,
    Sizes,
    Weights,
    Cyclic,
}

/// The fields of a rule, as they are read.
#[derive(Default)]
pub(super) struct RuleReader {
    name: Option<RuleName>,
    sizes: Option<Vec<i64>>,
    weights: Option<Vec<i64>>,
    block: Option<i64>,
    first: Option<i64>,
    granule: Option<i64>,
    repeat: Option<i64>,
    even: Option<bool>,
}

impl RuleReader {
    /// Reads one of the fields. Others are unknown.
    pub(super) fn field(&mut self, json: &mut JsonReader<'_>, name: &str) -> Result<()> {
        match name {
            "rule" => json.once(name, &mut self.name, RuleName::read),
            "sizes" => json.once(name, &mut self.sizes, JsonReader::numbers),
            "weights" => json.once(name, &mut self.weights, JsonReader::numbers),
            "block" => json.once(name, &mut self.block, JsonReader::number),
            "first" => json.once(name, &mut self.first, JsonReader::number),
            "granule" => json.once(name, &mut self.granule, JsonReader::number),
            "repeat" => json.once(name, &mut self.repeat, JsonReader::number),
            "even" => json.once(name, &mut self.even, JsonReader::boolean),
            _ => Err(json.unknown_field(name)),
        }
    }

    /// The rule that the fields of an object say, which starts at a position.
    pub(super) fn finish(self, json: &JsonReader<'_>, at: usize) -> Result<Rule> {
        let rule = self.name.unwrap_or(RuleName::Chunk);
        let belong = [
            ("sizes", self.sizes.is_some(), RuleName::Sizes),
            ("weights", self.weights.is_some(), RuleName::Weights),
            ("block", self.block.is_some(), RuleName::Cyclic),
            ("first", self.first.is_some(), RuleName::Cyclic),
        ];
        if let Some((field, ..)) = belong.iter().find(|(_, there, owner)| *there && *owner != rule)
        {
            let problem = text!("the field {field:?} does not belong to this rule");
            return Err(json.invalid_at(at, problem));
        }
        let kind = match rule {
            RuleName::Chunk => RuleKind::Chunk,
            RuleName::Balanced => RuleKind::Balanced,
            RuleName::Sizes => {
                RuleKind::Sizes(json.required(at, "sizes", self.sizes)?.try_into_boxed()?)
            }
            RuleName::Weights => {
                RuleKind::Weights(json.required(at, "weights", self.weights)?.try_into_boxed()?)
            }
            RuleName::Cyclic => RuleKind::Cyclic {
                block: json.required(at, "block", self.block)?,
                first: self.first.unwrap_or(0),
            },
        };
        Ok(Rule {
            kind,
            granule: self.granule.unwrap_or(1),
            repeat: self.repeat.unwrap_or(1),
            even: self.even.unwrap_or(false),
        })
    }
}

impl RuleName {
    fn read(json: &mut JsonReader<'_>) -> Result<Self> {
        let at = json.position();
        let name = json.string()?;
        Ok(match name.as_str() {
            "chunk" => Self::Chunk,
            "balanced" => Self::Balanced,
            "sizes" => Self::Sizes,
            "weights" => Self::Weights,
            "cyclic" => Self::Cyclic,
            other => {
                let what = text!(
                    "the rule {} is not known to this version of the library; it knows chunk, balanced, \
                     sizes, weights and cyclic",
                    Shown(other)
                );
                return Err(json.unknown_at(at, what));
            }
        })
    }
}
