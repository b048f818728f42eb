//! Meshes: placements arranged along named axes.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "the number of devices is at most that of placements, which was checked; axes index the mesh \
              that they are of"
)]

use std::fmt;

use super::placement::Placement;
use super::placements::Placements;
use crate::error::{Error, Result};
use crate::geometry::MAX_NDIM;
use crate::memory::{IntoShared, Shared, TryVec, text, try_boxed_str, try_collect};

/// One axis of a mesh.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct MeshAxis {
    name: Box<str>,
    size: usize,
}

impl MeshAxis {
    /// Its name: not empty, and no other axis of the mesh has it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How many coordinates it has: at least one.
    pub fn size(&self) -> usize {
        self.size
    }
}

/// An n-dimensional arrangement of placements with named axes, in row-major order: the last axis varies
/// fastest. torch's `DeviceMesh` and JAX's `Mesh`.
///
/// ```
/// use shardspec::model::Mesh;
///
/// let mesh = Mesh::new(&[("dp", 2), ("tp", 4)])?;
/// assert_eq!(mesh.device_count(), 8);
/// assert_eq!(mesh.coordinates(6)?, [1, 2]);
/// assert_eq!(mesh.fix("dp", 1)?.placements().get(0).and_then(|first| first.rank()), Some(4));
/// # Ok::<(), shardspec::model::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Mesh {
    axes: Shared<Vec<MeshAxis>>,
    placements: Shared<Placements>,
}

impl Mesh {
    /// A mesh of these axes on `rank:0`, `rank:1` and so on.
    pub fn new(axes: &[(&str, i64)]) -> Result<Self> {
        let (axes, count) = checked_axes(axes)?;
        Self::of_checked(axes, Placements::of_ranks(count)?)
    }

    /// A mesh of these axes on these placements: one for each device, row-major.
    pub fn with_placements(
        axes: &[(&str, i64)], placements: impl IntoShared<Placements>,
    ) -> Result<Self> {
        let (axes, count) = checked_axes(axes)?;
        let placements = placements.into_shared()?;
        if placements.len() != count as usize {
            let problem =
                text!("there are {} for {count} devices; pass one for each", placements.len());
            return Err(Error::invalid("placements", problem));
        }
        if let Some(at) = placements.iter().position(Placement::is_none) {
            return Err(Error::invalid("placements", "it is empty; name a rank, worker or device")
                .at("placements", at));
        }
        Self::of_checked(axes, placements)
    }

    fn of_checked(axes: Vec<MeshAxis>, placements: impl IntoShared<Placements>) -> Result<Self> {
        Ok(Self { axes: Shared::try_new(axes)?, placements: placements.into_shared()? })
    }

    /// The axes, in order.
    pub fn axes(&self) -> &[MeshAxis] {
        &self.axes
    }

    /// Number of axes.
    pub fn ndim(&self) -> usize {
        self.axes.len()
    }

    /// Number of devices: the product of the axes' sizes.
    pub fn device_count(&self) -> usize {
        self.placements.len()
    }

    /// The devices' placements, row-major.
    pub fn placements(&self) -> &Shared<Placements> {
        &self.placements
    }

    /// The position of the axis of a name.
    pub fn axis(&self, argument: &'static str, name: &str) -> Result<usize> {
        let found = self.axes.iter().position(|axis| axis.name() == name);
        found.ok_or_else(|| {
            let problem = text!("the mesh has no axis named {name:?}; it is {self}");
            Error::invalid(argument, problem)
        })
    }

    /// Where a device is along each axis.
    pub fn coordinates(&self, device: usize) -> Result<Vec<usize>> {
        if device >= self.device_count() {
            let (index, count) = (device as u64, self.device_count() as u64);
            return Err(Error::IndexOutOfRange { argument: "device", index, count });
        }
        let mut coordinates = try_collect(self.axes.iter().map(|_| 0))?;
        let mut rest = device;
        for (coordinate, axis) in coordinates.iter_mut().zip(self.axes()).rev() {
            *coordinate = rest % axis.size();
            rest /= axis.size();
        }
        Ok(coordinates)
    }

    /// The same axes on other placements, one for each device.
    pub(crate) fn placed(&self, placements: Shared<Placements>) -> Self {
        Self { axes: self.axes.clone(), placements }
    }

    /// The device with coordinate 0 of an axis, and the other coordinates of `device`.
    pub(crate) fn first_along(&self, axis: usize, device: usize) -> usize {
        let (stride, size) = (self.stride(axis), self.axes[axis].size());
        device - device / stride % size * stride
    }

    /// How many devices lie between neighbours along an axis.
    pub(crate) fn stride(&self, axis: usize) -> usize {
        self.axes.iter().skip(axis + 1).map(MeshAxis::size).product()
    }

    /// The devices at one coordinate of an axis: a mesh without that axis.
    pub fn fix(&self, axis: &str, coordinate: usize) -> Result<Self> {
        let at = self.axis("axis", axis)?;
        let size = self.axes[at].size();
        if coordinate >= size {
            let (index, count) = (coordinate as u64, size as u64);
            return Err(Error::IndexOutOfRange { argument: "coordinate", index, count });
        }
        let mut axes = Vec::new();
        for other in self.axes.iter().enumerate().filter(|(other, _)| *other != at) {
            let MeshAxis { name, size } = other.1;
            axes.try_push(MeshAxis { name: try_boxed_str(name)?, size: *size })?;
        }
        let stride = self.stride(at);
        let chosen = (0..self.device_count())
            .filter(|device| device / stride % size == coordinate)
            .filter_map(|device| self.placements.get(device).cloned());
        Self::of_checked(axes, Placements::new(chosen)?)
    }
}

/// As a text: `dp=2, tp=4`.
impl fmt::Display for Mesh {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.axes.is_empty() {
            return f.write_str("one device");
        }
        for (at, axis) in self.axes.iter().enumerate() {
            let comma = if at > 0 { ", " } else { "" };
            write!(f, "{comma}{}={}", axis.name(), axis.size())?;
        }
        Ok(())
    }
}

/// The axes and the number of devices.
fn checked_axes(axes: &[(&str, i64)]) -> Result<(Vec<MeshAxis>, u32)> {
    if axes.len() > MAX_NDIM {
        let problem = text!("{} axes are more than the {MAX_NDIM} that are supported", axes.len());
        return Err(Error::invalid("axis_names", problem));
    }
    let mut checked: Vec<MeshAxis> = Vec::new();
    let mut count = 1u32;
    for (at, &(name, size)) in axes.iter().enumerate() {
        if name.is_empty() {
            let problem = "the name is empty; name every axis";
            return Err(Error::invalid("axis_names", problem).at("axis_names", at));
        }
        if checked.iter().any(|other| other.name() == name) {
            let problem = text!("{name:?} names two axes; give each its own name");
            return Err(Error::invalid("axis_names", problem).at("axis_names", at));
        }
        if size < 1 {
            let error = Error::TooSmall { argument: "axis_sizes", value: size, least: 1 };
            return Err(error.at("axis_sizes", at));
        }
        let product = u32::try_from(size).ok().and_then(|size| count.checked_mul(size));
        count = product.ok_or_else(super::placements::too_many)?;
        checked.try_push(MeshAxis { name: try_boxed_str(name)?, size: size as usize })?;
    }
    Ok((checked, count))
}
