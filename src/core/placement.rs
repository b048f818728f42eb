//! Where a shard lives: torch's `_remote_device` and `DevicePlacementSpec`.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use super::device::Device;
use super::error::{Error, Result};

/// Which process owns a shard.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Owner {
    /// The text names only a device.
    Local,
    /// `rank:<n>`: a rank of the communicator.
    Rank(i64),
    /// A worker's name. Behind a thin pointer, so that a placement has 24 bytes.
    Worker(Arc<Box<str>>),
}

/// Where a shard lives: an owner (a rank, a worker's name, or nobody in particular) and a device.
///
/// Its text form is torch's: `rank:1/cuda:0`, `trainer0/cpu`, `cuda:1`. Texts without a device
/// mean `cpu`. Two placements are equal when their canonical texts are.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Placement {
    owner: Owner,
    device: Device,
}

impl Placement {
    /// The placement `rank:<rank>/cpu`. `rank` must not be negative.
    pub fn on_rank(rank: i64) -> Result<Self> {
        if rank < 0 {
            return Err(Error::invalid("rank", format!("{rank} is negative; ranks start at 0")));
        }
        Ok(Self { owner: Owner::Rank(rank), device: Device::CPU })
    }

    /// Reads a placement, by the rules of torch's `_remote_device`.
    pub fn parse(text: &str) -> Result<Self> {
        Self::parse_parts(text)
            .map_err(|reason| Error::InvalidPlacement { text: text.to_owned(), reason })
    }

    fn parse_parts(text: &str) -> std::result::Result<Self, String> {
        if text.contains('\0') {
            return Err("it holds a NUL character".into());
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
        let owner = worker.map_or(Ok(Owner::Local), Self::parse_owner)?;
        Ok(Self { owner, device: device? })
    }

    fn parse_owner(worker: &str) -> std::result::Result<Owner, String> {
        if worker.is_empty() {
            return Err("the worker's name is empty".into());
        }
        let Some((prefix, rank)) = worker.split_once(':') else {
            return Ok(Owner::Worker(Arc::new(worker.into())));
        };
        let digits = !rank.is_empty() && rank.bytes().all(|byte| byte.is_ascii_digit());
        if prefix != "rank" || !digits {
            return Err(format!(
                "{worker:?} is neither 'rank:' with ASCII digits nor a worker's name without ':'"
            ));
        }
        let rank = rank.parse().map_err(|_| format!("rank {rank} exceeds {}", i64::MAX))?;
        Ok(Owner::Rank(rank))
    }

    /// The rank, if the owner is one.
    pub fn rank(&self) -> Option<i64> {
        match self.owner {
            Owner::Rank(rank) => Some(rank),
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

    /// The device.
    pub fn device(&self) -> Device {
        self.device
    }

    /// Whether both have the same owner: the same rank, the same worker, or nobody in particular.
    pub fn same_owner(&self, other: &Self) -> bool {
        self.owner == other.owner
    }
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
            Owner::Local => write!(f, "{}", self.device),
            Owner::Rank(rank) => write!(f, "rank:{rank}/{}", self.device),
            Owner::Worker(name) => write!(f, "{name}/{}", self.device),
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
