//! Where a shard lives: torch's `_remote_device` and `DevicePlacementSpec`, and types of the user's
//! own.

use std::any::Any;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use super::device::Device;
use super::metadata::stable_hash;
use crate::error::{Error, Result};
use crate::memory::{self, Shared, Text, text};
use crate::model::ModelError;

/// A placement of a type of the user's own: torch's abstract class `PlacementSpec`. Immutable.
pub trait CustomPlacement: Any + fmt::Debug + Send + Sync {
    /// The name of its type: not empty, and not [`Placement::TYPE_NAME`].
    fn type_name(&self) -> &str;

    /// The text to show: not empty.
    fn text(&self) -> &str;

    /// The rank that owns it, if one does; not negative.
    fn rank(&self) -> Option<i64> {
        None
    }

    /// Whether it is the same place as another of the same type name and the same rank. An
    /// equivalence. Equal placements are stored once: what else they hold must not matter.
    fn equals(&self, other: &dyn CustomPlacement) -> bool {
        self.text() == other.text()
    }

    /// A hash that is equal for the same places, in every process.
    fn hash_value(&self) -> u64 {
        stable_hash(|hasher| self.text().hash(hasher))
    }
}

impl dyn CustomPlacement {
    /// The placement as what it really is, if it is a `T`.
    pub fn downcast_ref<T: CustomPlacement>(&self) -> Option<&T> {
        let any: &dyn Any = self;
        any.downcast_ref()
    }
}

/// A shared [`CustomPlacement`]. Behind a thin pointer, so that a placement has 24 bytes.
#[derive(Clone)]
pub(crate) struct Custom(Shared<Box<dyn CustomPlacement>>);

impl PartialEq for Custom {
    fn eq(&self, other: &Self) -> bool {
        Shared::ptr_eq(&self.0, &other.0)
            || (self.0.type_name() == other.0.type_name()
                && self.0.rank() == other.0.rank()
                && self.0.equals(&**other.0))
    }
}

impl Eq for Custom {}

impl Hash for Custom {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.type_name().hash(state);
        self.0.rank().hash(state);
        self.0.hash_value().hash(state);
    }
}

/// Which process owns a shard.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) enum Owner {
    /// There is no placement.
    None,
    /// The text names only a device.
    Local,
    /// `rank:<n>`: a rank of the communicator.
    Rank(i64),
    /// A worker's name. Behind a thin pointer, so that a placement has 24 bytes.
    Worker(Shared<Box<str>>),
    /// Whoever the user's own type says.
    Custom(Custom),
}

/// Where a shard lives: an owner (a rank, a worker's name, or nobody in particular) and a device; or
/// whatever a type of the user's own means by it.
///
/// A shard of a list may have none: [`Placement::NONE`], whose text is empty.
///
/// Its text form is torch's: `rank:1/cuda:0`, `trainer0/cpu`, `cuda:1`. Texts without a device
/// mean `cpu`. Two placements are equal when their canonical texts are; those of the user's own types
/// are when their types say so.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Placement {
    owner: Owner,
    /// `cpu`, and without a meaning, where the user's own type says where it is.
    device: Device,
}

impl Placement {
    /// The type of placements that are an owner and a device.
    pub const TYPE_NAME: &str = "device";

    /// No placement: that of a shard which belongs to nobody in particular. Nothing that tells owners
    /// apart takes it; no text means it.
    pub const NONE: Self = Self { owner: Owner::None, device: Device::CPU };

    /// Whether this is no placement.
    pub fn is_none(&self) -> bool {
        self.owner == Owner::None
    }

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

    /// The rank, if the owner is one.
    pub fn rank(&self) -> Option<i64> {
        match &self.owner {
            Owner::Rank(rank) => Some(*rank),
            Owner::Custom(custom) => custom.0.rank(),
            _ => None,
        }
    }

    /// The worker's name, if the owner has one.
    pub fn worker_name(&self) -> Option<&str> {
        match &self.owner {
            Owner::Worker(name) => Some(name),
            _ => None,
        }
    }

    /// Who owns it, whatever the device.
    pub(crate) fn owner(&self) -> &Owner {
        &self.owner
    }

    /// The device; of the user's own types, none is known.
    pub fn device(&self) -> Option<Device> {
        (self.as_custom().is_none() && !self.is_none()).then_some(self.device)
    }

    /// The name of its type: [`Self::TYPE_NAME`], or that of the user's own.
    pub fn type_name(&self) -> &str {
        self.as_custom().map_or(Self::TYPE_NAME, CustomPlacement::type_name)
    }

    /// The placement of the user's own type, if it is one.
    pub fn as_custom(&self) -> Option<&dyn CustomPlacement> {
        match &self.owner {
            Owner::Custom(custom) => Some(&**custom.0),
            _ => None,
        }
    }

    /// Whether both have the same owner: the same rank, the same worker, or nobody in particular. A
    /// type of the user's own that tells a rank is owned by that rank.
    pub fn same_owner(&self, other: &Self) -> bool {
        match (self.rank(), other.rank()) {
            (None, None) => self.owner == other.owner,
            (rank, other_rank) => rank == other_rank,
        }
    }
}

/// What no placement's text holds: it is shown to people, in messages of one line.
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

/// The canonical text.
impl fmt::Display for Placement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.owner {
            Owner::None => Ok(()),
            Owner::Local => write!(f, "{}", self.device),
            Owner::Rank(rank) => write!(f, "rank:{rank}/{}", self.device),
            Owner::Worker(name) => write!(f, "{name}/{}", self.device),
            Owner::Custom(custom) => f.write_str(custom.0.text()),
        }
    }
}

impl fmt::Debug for Placement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

// A million shards with a million placements of their own must stay within their budget.
const _: () = assert!(size_of::<Placement>() == 24);
