//! Who owns what of one tensor: torch's `ShardedTensorMetadata`.

use std::hash::{Hash, Hasher};

use super::dtype::DataType;
use super::error::ModelError;
use super::mesh::Mesh;
use super::placement::Placement;
use super::placements::Placements;
use super::properties::TensorProperties;
use super::reduction::PartialAxis;
use super::shards::Shards;
use super::sizes::check_sizes;
use super::stable_hash::stable_hash;
use super::validate;
use crate::error::{Error, Result};
use crate::geometry::checked_numel;
use crate::memory::{self, IntoShared, Shared, Text, text};

/// All shards of a tensor, its sizes and its properties.
///
/// The shards cover the tensor, and do not overlap unless they are said to be replicas. Every value
/// of this type guarantees that.
///
/// ```
/// use shardspec::model::{ChunkShardingSpec, Placement, ShardingSpec, TensorProperties, TensorShape};
///
/// let ranks = [Placement::on_rank(0)?, Placement::on_rank(1)?];
/// let metadata = ChunkShardingSpec::new(0.into(), ranks.into_iter())?
///     .build_metadata(TensorShape::new(&[5]), TensorProperties::default())?;
/// assert_eq!(metadata.shard_at(&[3])?, 1);
/// assert_eq!(metadata.shards_of_rank(1).collect::<Vec<_>>(), [1]);
/// assert_eq!(metadata.shards().at("index", 1)?.offsets, [3]);
/// # Ok::<(), shardspec::model::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct ShardedTensorMetadata {
    shards: Shared<Shards>,
    sizes: Shared<Box<[i64]>>,
    properties: TensorProperties,
    /// Whether shards may have elements in common.
    replicas: bool,
    /// Over which mesh it was cut, if it was.
    mesh: Option<Mesh>,
    /// Axes that are pending a reduction.
    partial: Option<Shared<Vec<PartialAxis>>>,
    dim_names: Option<Shared<Vec<Box<str>>>>,
}

/// Equal metadata say the same of who owns what. Names of dimensions and the mesh that a tensor was cut
/// over do not: the same shards may be listed without them.
impl PartialEq for ShardedTensorMetadata {
    fn eq(&self, other: &Self) -> bool {
        self.shards == other.shards
            && self.sizes == other.sizes
            && self.properties == other.properties
            && self.replicas == other.replicas
            && self.partial() == other.partial()
    }
}

impl Eq for ShardedTensorMetadata {}

impl Hash for ShardedTensorMetadata {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.shards.hash(state);
        self.sizes.hash(state);
        self.properties.hash(state);
        self.replicas.hash(state);
        self.partial().hash(state);
    }
}

impl ShardedTensorMetadata {
    /// Metadata of a tensor of these sizes from shards that may be anything: checked for bounds,
    /// overlaps and gaps. Each needs a placement.
    pub fn new(
        shards: impl IntoShared<Shards>, sizes: &[i64], properties: TensorProperties,
    ) -> Result<Self> {
        check_sizes(sizes)?;
        let shards = Shards::with_ndim_if_empty(shards.into_shared()?, sizes.len())?;
        shards.check_placed()?;
        validate::check_non_overlapping(&shards)?;
        validate::check_tensor(&shards, sizes)?;
        Self::trusted(shards, sizes, properties)
    }

    /// The same of shards that may have elements in common: an element's owner is the first shard that has
    /// it, the others have replicas.
    pub fn with_replicas(
        shards: impl IntoShared<Shards>, sizes: &[i64], properties: TensorProperties,
    ) -> Result<Self> {
        check_sizes(sizes)?;
        let shards = Shards::with_ndim_if_empty(shards.into_shared()?, sizes.len())?;
        shards.check_placed()?;
        validate::check_coverage(&shards, sizes)?;
        Ok(Self { replicas: true, ..Self::trusted(shards, sizes, properties)? })
    }

    /// Metadata from shards that are known to partition the tensor.
    pub(crate) fn trusted(
        shards: Shared<Shards>, sizes: &[i64], properties: TensorProperties,
    ) -> Result<Self> {
        let sizes = Shared::try_new(memory::try_boxed_slice(sizes)?)?;
        let (mesh, partial, dim_names) = (None, None, None);
        Ok(Self { shards, sizes, properties, replicas: false, mesh, partial, dim_names })
    }

    /// The same metadata, whose shards are those of the devices of a mesh.
    pub(crate) fn arranged(
        self, mesh: &Mesh, partial: &[PartialAxis], replicas: bool,
    ) -> Result<Self> {
        let mut axes = memory::try_with_capacity(partial.len())?;
        for PartialAxis { axis, reduction } in partial {
            axes.push(PartialAxis { axis: memory::try_boxed_str(axis)?, reduction: *reduction });
        }
        let partial = if axes.is_empty() { None } else { Some(Shared::try_new(axes)?) };
        Ok(Self { mesh: Some(mesh.clone()), partial, replicas, ..self })
    }

    /// The same metadata of a tensor that is cut over a mesh: shard `i` is that of device `i`.
    pub fn on_mesh(&self, mesh: &Mesh, partial: &[PartialAxis]) -> Result<Self> {
        if **mesh.placements() != **self.shards.placements() {
            let (devices, shards) = (mesh.device_count(), self.shards.len());
            let problem = if devices == shards {
                text!("its placements are not those of the shards, in their order")
            } else {
                text!("it has {devices} devices for {shards} shards; pass one for each shard")
            };
            return Err(Error::invalid("mesh", problem));
        }
        for (number, axis) in partial.iter().enumerate() {
            let earlier = partial.iter().take(number).any(|other| other.axis == axis.axis);
            self.check_partial(mesh, &axis.axis, earlier)
                .map_err(|error| error.at("partials", number))?;
        }
        self.clone().arranged(mesh, partial, self.replicas)
    }

    /// Refuses an axis along which shards differ: they would be parts of the values of other elements.
    fn check_partial(&self, mesh: &Mesh, axis: &str, is_used: bool) -> Result<()> {
        let at = mesh.axis("axis", axis)?;
        let is_same = |device| {
            let dims = |shard| self.shards.get(shard).map(|shard| shard.extent.dims());
            dims(device)
                .zip(dims(mesh.first_along(at, device)))
                .is_some_and(|(own, first)| own.eq(first))
        };
        if is_used {
            let problem = text!("{axis:?} is used twice; use each axis once");
            return Err(Error::invalid("axis", problem));
        }
        match (0..mesh.device_count()).find(|&device| !is_same(device)) {
            None => Ok(()),
            Some(shard) => {
                let first = mesh.first_along(at, shard);
                let problem = text!(
                    "shards {first} and {shard} differ along {axis:?}; devices of a partial axis have \
                     the same elements"
                );
                Err(Error::invalid("axis", problem))
            }
        }
    }

    /// The same metadata with these placements, one for each shard.
    pub(crate) fn placed(&self, placements: Shared<Placements>) -> Result<Self> {
        let mesh = self.mesh.as_ref().map(|mesh| mesh.placed(placements.clone()));
        let shards = Shared::try_new(self.shards.placed(placements)?)?;
        Ok(Self { shards, mesh, ..self.clone() })
    }

    /// The same metadata of a tensor whose dimensions have these names, one for each.
    pub fn with_dim_names(self, names: &[&str]) -> Result<Self> {
        let mut own = memory::try_with_capacity(names.len())?;
        for name in names {
            own.push(memory::try_boxed_str(name)?);
        }
        Ok(Self { dim_names: Some(Shared::try_new(own)?), ..self })
    }

    /// A copy whose dimensions have these names, which have to be as many.
    pub fn named(&self, names: &[&str]) -> Result<Self> {
        let (got, expected) = (names.len(), self.ndim());
        if got != expected {
            let what = text!("dim_names");
            return Err(Error::NdimMismatch { what, shard: None, got, expected });
        }
        self.clone().with_dim_names(names)
    }

    /// The mesh over which the tensor was cut, if it was: shard `i` is that of device `i`.
    pub fn mesh(&self) -> Option<&Mesh> {
        self.mesh.as_ref()
    }

    /// The axes whose devices have parts of the elements' values, to be reduced.
    pub fn partial(&self) -> &[PartialAxis] {
        self.partial.as_deref().map_or(&[], Vec::as_slice)
    }

    /// Refuses to move elements that have to be reduced first.
    pub(crate) fn check_movable(&self) -> Result<()> {
        match self.partial() {
            [] => Ok(()),
            [PartialAxis { axis, reduction }, ..] => {
                let (axis, reduction) = (Text::copy(axis), *reduction);
                Err(ModelError::Partial { axis, reduction }.into())
            }
        }
    }

    /// The names of the tensor's dimensions, if they have names.
    pub fn dim_names(&self) -> Option<&[Box<str>]> {
        self.dim_names.as_deref().map(Vec::as_slice)
    }

    /// Metadata of another tensor, in which each shard has what it says here instead: mesh, replicas,
    /// partial axes and names of dimensions stay as they are.
    pub(crate) fn with_shards(
        &self, shards: Shards, sizes: &[i64], properties: TensorProperties,
    ) -> Result<Self> {
        let shards = Shared::try_new(shards)?;
        let sizes = Shared::try_new(memory::try_boxed_slice(sizes)?)?;
        Ok(Self { shards, sizes, properties, ..self.clone() })
    }

    /// The shards, in order.
    pub fn shards(&self) -> &Shards {
        &self.shards
    }

    /// The shards, to be held beyond the metadata.
    pub fn shared_shards(&self) -> &Shared<Shards> {
        &self.shards
    }

    /// The same tensor as one shard at a placement, which may be none.
    pub(crate) fn whole_at(&self, placement: Placement) -> Result<Self> {
        let (ndim, sizes) = (self.ndim(), memory::try_to_vec(self.sizes())?);
        let offsets = memory::try_filled(0, ndim)?;
        let shards = Shards::new(ndim, offsets, sizes, Placements::of_one(placement)?)?;
        Self::trusted(shards.into_shared()?, self.sizes(), self.properties)
    }

    /// Whether what each shard has is a box of the tensor that no other has anything of.
    pub fn is_plain(&self) -> bool {
        !self.replicas && self.shards.extents().are_boxes()
    }

    /// Whether shards may have elements in common: so their maker said.
    pub fn has_replicas(&self) -> bool {
        self.replicas
    }

    /// The tensor's sizes.
    pub fn sizes(&self) -> &[i64] {
        &self.sizes
    }

    /// Number of dimensions.
    pub fn ndim(&self) -> usize {
        self.sizes.len()
    }

    /// Number of elements of the tensor.
    pub fn numel(&self) -> i64 {
        // It was checked when the metadata was made.
        checked_numel(&self.sizes).unwrap_or(i64::MAX)
    }

    /// The tensor's properties besides its sizes.
    pub fn properties(&self) -> &TensorProperties {
        &self.properties
    }

    /// The same metadata of a tensor whose element type is now known.
    #[must_use]
    pub fn with_dtype(&self, dtype: DataType) -> Self {
        let properties = TensorProperties { dtype: Some(dtype), ..self.properties };
        Self { properties, ..self.clone() }
    }

    /// Indices of the shards whose placement is on `rank`, ascending.
    pub fn shards_of_rank(&self, rank: i64) -> impl Iterator<Item = usize> {
        self.shards_placed(move |placement| placement.rank() == Some(rank))
    }

    /// Indices of the shards of an owner, ascending. An owner is written as in a placement: `rank:1`
    /// or `trainer0` are the owner's shards on all devices, `rank:1/cuda:0` those on one. A device
    /// alone, `cuda:0`, is that of shards whose placements name no owner.
    pub fn shards_of_owner(&self, owner: &str) -> Result<impl Iterator<Item = usize> + use<'_>> {
        let wanted = Placement::parse(owner)?;
        let any_device =
            !owner.contains('/') && (wanted.rank().is_some() || wanted.worker_name().is_some());
        Ok(self.shards_placed(move |placement| {
            placement.same_owner(&wanted) && (any_device || placement.device() == wanted.device())
        }))
    }

    /// Indices of the shards whose placement is selected, ascending.
    fn shards_placed(&self, wanted: impl Fn(&Placement) -> bool) -> impl Iterator<Item = usize> {
        let placements = self.shards.placements();
        let mut indices = placements.indices().iter().enumerate();
        // Runs of equal placements are asked about once.
        let mut last = None;
        std::iter::from_fn(move || {
            indices.by_ref().find_map(|(shard, &number)| {
                let is_wanted = match last {
                    Some((known, is_wanted)) if known == number => is_wanted,
                    _ => placements.distinct().get(number as usize).is_some_and(&wanted),
                };
                last = Some((number, is_wanted));
                is_wanted.then_some(shard)
            })
        })
    }

    /// A hash: equal metadata have equal hashes, in every process.
    pub fn hash_value(&self) -> u64 {
        stable_hash(|hasher| self.hash(hasher))
    }
}
