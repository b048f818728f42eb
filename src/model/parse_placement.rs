//! Making placements: from their text, from a rank, and of a type of the user's own.

use std::str::FromStr;

use super::device::Device;
use super::placement::{Custom, CustomPlacement, Owner, Placement};
use crate::error::{Error, Result};
use crate::memory::{self, Shared, Text, text};
use crate::model::ModelError;

impl Placement {
    /// A placement of the user's own type.
    pub fn custom(placement: impl CustomPlacement) -> Result<Self> {
        let type_name = placement.type_name();
        if type_name.is_empty() {
            return Err(Error::invalid("type_name", "it is empty; name the type"));
        }
        for (argument, text) in [("type_name", type_name), ("text", placement.text())] {
            if let Some(control) = control_character(text) {
                let problem = text!("{text:?} holds the control character {control:?}");
                return Err(Error::invalid(argument, problem));
            }
        }
        if type_name == Self::TYPE_NAME {
            let problem = text!("{type_name:?} is the name of the built-in type; choose another");
            return Err(Error::invalid("type_name", problem));
        }
        if placement.text().is_empty() {
            return Err(Error::invalid("text", "it is empty; say where the placement is"));
        }
        if let Some(value) = placement.rank().filter(|rank| *rank < 0) {
            return Err(Error::TooSmall { argument: "rank", value, least: 0 });
        }
        let placement: Box<dyn CustomPlacement> = memory::try_box(placement)?;
        let owner = Owner::Custom(Custom(Shared::try_new(placement)?));
        Ok(Self { owner, device: Device::CPU })
    }

    /// The placement `rank:<rank>/cpu`. `rank` must not be negative.
    pub fn on_rank(rank: i64) -> Result<Self> {
        if rank < 0 {
            return Err(Error::invalid("rank", text!("{rank} is negative; ranks start at 0")));
        }
        Ok(Self { owner: Owner::Rank(rank), device: Device::CPU })
    }

    /// Reads a placement, by the rules of torch's `_remote_device`.
    pub fn parse(text: &str) -> Result<Self> {
        let refusal =
            |reason| Error::Model(ModelError::InvalidPlacement { text: Text::copy(text), reason });
        match Self::parse_parts(text).map_err(refusal)? {
            (Written::Owner(owner), device) => Ok(Self { owner, device }),
            (Written::Worker(name), device) => {
                let name = Shared::try_new(memory::try_boxed_str(name)?)?;
                Ok(Self { owner: Owner::Worker(name), device })
            }
        }
    }

    fn parse_parts(text: &str) -> std::result::Result<(Written<'_>, Device), Text> {
        if let Some(control) = control_character(text) {
            return Err(text!("it holds the control character {control:?}"));
        }
        let mut fields = text.split('/');
        let (worker, device) = match (fields.next(), fields.next(), fields.next()) {
            (Some(worker), Some(device), None) => (Some(worker), Device::parse(device)),
            // One field is a device if it can be one, and else a worker.
            (Some(field), None, None) => match Device::parse(field) {
                Ok(device) => (None, Ok(device)),
                Err(_) => (Some(field), Ok(Device::CPU)),
            },
            _ => return Err("it has more than one '/'".into()),
        };
        let owner = worker.map_or(Ok(Written::Owner(Owner::Local)), Self::parse_owner)?;
        Ok((owner, device?))
    }

    fn parse_owner(worker: &str) -> std::result::Result<Written<'_>, Text> {
        if worker.is_empty() {
            return Err("the worker's name is empty".into());
        }
        let Some((prefix, rank)) = worker.split_once(':') else {
            return Ok(Written::Worker(worker));
        };
        let digits = !rank.is_empty() && rank.bytes().all(|byte| byte.is_ascii_digit());
        if prefix != "rank" || !digits {
            return Err(text!(
                "{worker:?} is neither 'rank:' with ASCII digits nor a worker's name without ':'"
            ));
        }
        let rank = rank.parse().map_err(|_| text!("rank {rank} exceeds {}", i64::MAX))?;
        Ok(Written::Owner(Owner::Rank(rank)))
    }
}

/// The characters that a placement's text must not have: messages show it, on one line.
fn control_character(text: &str) -> Option<char> {
    text.chars().find(|character| character.is_control())
}

/// An owner as a text says it.
enum Written<'a> {
    Owner(Owner),
    Worker(&'a str),
}

impl FromStr for Placement {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::parse(text)
    }
}
