//! Placements of shards: torch's `_remote_device` and `DevicePlacementSpec`, and types of the
//! user's own.

use std::any::Any;
use std::fmt;
use std::hash::{Hash, Hasher};

use super::device::Device;
use super::stable_hash::stable_hash;
use crate::memory::Shared;

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
pub(crate) struct Custom(pub(super) Shared<Box<dyn CustomPlacement>>);

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
    /// As the user's own type says.
    Custom(Custom),
}

/// The placement of a shard: an owner (a rank, a worker's name, or none) and a device; or a value
/// of a custom type.
///
/// A shard of a list may have none: [`Placement::NONE`], whose text is empty.
///
/// Its text form is torch's: `rank:1/cuda:0`, `trainer0/cpu`, `cuda:1`. Texts without a device
/// mean `cpu`. Two placements are equal when their canonical texts are; those of the user's own types
/// are when their types say so.
///
/// ```
/// use shardspec::model::Placement;
///
/// let placement = Placement::parse("rank:1/cuda:0")?;
/// assert_eq!(placement.rank(), Some(1));
/// assert_eq!(Placement::parse("trainer0")?.to_string(), "trainer0/cpu");
/// assert!(Placement::parse("rank:x").is_err());
/// # Ok::<(), shardspec::model::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Placement {
    pub(super) owner: Owner,
    /// `cpu`, and without a meaning, where the user's own type says where it is.
    pub(super) device: Device,
}

impl Placement {
    /// The type of placements that are an owner and a device.
    pub const TYPE_NAME: &str = "device";

    /// No placement: that of a shard without an owner. Functions that need owners refuse it, and no
    /// text parses to it.
    pub const NONE: Self = Self { owner: Owner::None, device: Device::CPU };

    /// Whether this is no placement.
    pub fn is_none(&self) -> bool {
        self.owner == Owner::None
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

    /// Whether both have the same owner: the same rank, the same worker, or none. A custom
    /// placement with a rank is owned by that rank.
    pub fn same_owner(&self, other: &Self) -> bool {
        match (self.rank(), other.rank()) {
            (None, None) => self.owner == other.owner,
            (rank, other_rank) => rank == other_rank,
        }
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
