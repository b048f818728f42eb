//! The picture of a layout, or of how a layout becomes another one, before it is text or SVG.

use crate::draw::label::{LabelForm, Labels};
use crate::draw::legend::Legend;
use crate::draw::options::PictureOptions;
use crate::draw::page::{Page, Percent, Thousands, page, shortened};
use crate::draw::panel::{Layouts, Limits, Panel, PanelKind, Panels, panels};
use crate::error::Result;
use crate::geometry::checked_numel;
use crate::memory::{Memory, TryVec};
use crate::model::dtype::DataType;
use crate::model::mesh::Mesh;
use crate::model::metadata::ShardedTensorMetadata;
use crate::model::reduction::PartialAxis;

/// The most signs of a name of a dimension or an axis.
const MAX_NAME: usize = 16;

/// The most axes of a mesh, and dimensions of a tensor, that a line names.
const MAX_NAMES: usize = 8;

/// What is known of a tensor besides its shards.
#[derive(Default)]
pub(super) struct TensorFacts<'a> {
    pub(super) dtype: Option<DataType>,
    pub(super) metadata: Option<&'a ShardedTensorMetadata>,
    /// Of two layouts, the first one.
    pub(super) source: Option<&'a ShardedTensorMetadata>,
    /// Whether shards may share elements.
    pub(super) has_replicas: bool,
    /// Whether some do that may not.
    pub(super) has_overlaps: bool,
}

/// A picture of one layout or of two.
pub(super) struct LayoutPicture<'a> {
    pub(super) title: String,
    pub(super) notes: Vec<String>,
    pub(super) panels: Vec<Panel>,
    pub(super) legend: Legend,
    pub(super) facts: &'a TensorFacts<'a>,
    pub(super) layouts: &'a Layouts<'a>,
}

impl<'a> LayoutPicture<'a> {
    pub(super) fn new(
        layouts: &'a Layouts<'a>, facts: &'a TensorFacts<'a>, options: &PictureOptions<'_>,
        limits: Limits, most_rows: usize,
    ) -> Result<Self> {
        let found = panels(layouts, options, limits)?;
        let is_change = layouts.lists.len() > 1;
        let legend = if is_change {
            Legend::of_change(layouts, most_rows)?
        } else {
            Legend::of_layout(layouts, most_rows)?
        };
        let mut picture = Self {
            title: String::new(),
            notes: Vec::new(),
            panels: Vec::new(),
            legend,
            facts,
            layouts,
        };
        picture.title = if is_change { picture.change_title()? } else { picture.layout_title()? };
        picture.write_notes(&found, options)?;
        picture.panels = found.panels;
        Ok(picture)
    }

    /// Whether this is about two layouts.
    pub(super) fn is_change(&self) -> bool {
        self.layouts.lists.len() > 1
    }

    /// The labels of the picture's cells.
    pub(super) fn labels(&self, is_ascii: bool) -> Labels<'_> {
        Labels::new(&self.layouts.owners, self.facts.has_replicas, is_ascii)
    }

    /// The sizes of the tensor.
    fn tensor(&self) -> Memory<String> {
        let mut page = Page::default();
        match self.facts.dtype {
            Some(dtype) => page.put(dtype)?,
            None => page.put("tensor")?,
        }
        page.put(" [")?;
        let sizes = match self.facts.metadata {
            Some(metadata) => metadata.sizes(),
            None => self.layouts.sizes(),
        };
        for (dim, &size) in sizes.iter().enumerate() {
            page.put(if dim > 0 { ", " } else { "" })?;
            page.put(size)?;
        }
        page.put("]")?;
        Ok(page.into_text())
    }

    fn layout_title(&self) -> Memory<String> {
        let (shards, owners) = (self.legend.total.shards, self.legend.owner_count);
        let [shards, owners] = [(i128::from(shards), "shard"), (owners as i128, "owner")]
            .map(|(count, noun)| counted(count, noun));
        page!("Who owns what: {}, {} of {}", self.tensor()?, shards?, owners?)
    }

    fn change_title(&self) -> Memory<String> {
        let total = self.legend.total;
        let after = total.elements.saturating_add(total.more);
        let share = Percent { part: total.more, whole: after };
        page!("What changes owner: {share} of the elements of {}", self.tensor()?)
    }

    fn write_notes(&mut self, found: &Panels, options: &PictureOptions<'_>) -> Memory<()> {
        let mesh = |metadata: Option<&ShardedTensorMetadata>| {
            metadata.and_then(|metadata| metadata.mesh()).map(mesh_text).transpose()
        };
        match (mesh(self.facts.source)?, mesh(self.facts.metadata)?) {
            (None, None) => {}
            (None, Some(mesh)) if !self.is_change() => {
                self.notes.try_push(page!("Mesh: {mesh}")?)?;
            }
            (from, to) => {
                let [from, to] = [from, to].map(|mesh| mesh.unwrap_or_default());
                let of = |mesh: &str| if mesh.is_empty() { "a list of shards" } else { "" };
                let note = page!("From: {from}{}. To: {to}{}.", of(&from), of(&to))?;
                self.notes.try_push(note)?;
            }
        }
        if let Some(metadata) = self.facts.metadata {
            self.note_partial(metadata.partial())?;
        }
        self.note_copies(found)?;
        self.note_faults(found)?;
        self.note_buffers()?;
        self.note_dims(found)?;
        if options.window.is_some() {
            self.notes.try_push(page!("Window: this is a part of the tensor.")?)?;
        }
        Ok(())
    }

    fn note_partial(&mut self, partial: &[PartialAxis]) -> Memory<()> {
        if partial.is_empty() {
            return Ok(());
        }
        let mut page = Page::default();
        page.put("Partial: values still have to be reduced over ")?;
        for (at, axis) in partial.iter().enumerate().take(MAX_NAMES) {
            let name = shortened(&axis.axis, MAX_NAME)?;
            page.put(format_args!("{}{name} ({})", comma(at), axis.reduction))?;
        }
        page.put(".")?;
        self.notes.try_push(page.into_text())
    }

    /// How many copies there are of elements.
    fn note_copies(&mut self, found: &Panels) -> Memory<()> {
        if !self.facts.has_replicas || self.is_change() {
            return Ok(());
        }
        let cells = || found.panels.iter().flat_map(|panel| &panel.cells);
        let copies = |cell: &super::panel::PanelCell| {
            cell.holders.held.checked_div(cell.volume.into()).unwrap_or(0)
        };
        let (least, most) = (cells().map(copies).min(), cells().map(copies).max());
        let note = match (least, most) {
            (Some(1), Some(1)) => return Ok(()),
            (Some(least), Some(most)) if least == most => {
                page!("Replicas: {least} owners have each element.")?
            }
            (Some(least), Some(most)) => {
                page!("Replicas: {least} to {most} owners have each element.")?
            }
            _ => return Ok(()),
        };
        self.notes.try_push(note)
    }

    /// Elements that no owner has, and those that several have without a declaration.
    fn note_faults(&mut self, found: &Panels) -> Memory<()> {
        if self.facts.has_replicas || self.is_change() {
            return Ok(());
        }
        let (mut gap, mut overlap) = (0i128, 0i128);
        for cell in found.panels.iter().flat_map(|panel| &panel.cells) {
            let held = cell.holders.held.saturating_sub(cell.volume.into());
            overlap = overlap.saturating_add(held.max(0));
            gap = gap.saturating_sub(held.min(0));
        }
        let is_all = matches!(&*found.panels, [one] if one.kind == PanelKind::Whole);
        let least = if is_all { "" } else { "at least " };
        if overlap > 0 {
            let note =
                page!("Overlap: {least}{} with several owners.", counted(overlap, "element")?)?;
            self.notes.try_push(note)?;
        } else if self.facts.has_overlaps {
            self.notes.try_push(page!("Overlap: shards have the same elements.")?)?;
        }
        if gap > 0 {
            let note = page!("Gap: {least}{} without an owner.", counted(gap, "element")?)?;
            self.notes.try_push(note)?;
        }
        let outside = self.legend.total.outside;
        if outside > 0 {
            let note = page!("Outside of the tensor: {}.", counted(outside, "element")?)?;
            self.notes.try_push(note)?;
        }
        Ok(())
    }

    /// Padding, and shards that have nothing.
    fn note_buffers(&mut self) -> Memory<()> {
        if self.is_change() {
            return Ok(());
        }
        let (padding, empty) = (self.legend.total.more, self.legend.empty_shards);
        if padding > 0 {
            let places = counted(padding, "place")?;
            self.notes.try_push(page!("Padding: {places} of the buffers without an element.")?)?;
        }
        if empty > 0 {
            let note = page!("Empty: {} without an element.", counted(empty.into(), "shard")?)?;
            self.notes.try_push(note)?;
        }
        Ok(())
    }

    /// Dimensions that are not to be seen.
    fn note_dims(&mut self, found: &Panels) -> Memory<()> {
        let extents = self.layouts.lists.last().map(|list| list.shards.extents());
        let flat = extents.and_then(|extents| extents.flattening()?.flattened_dims());
        if let Some(dims) = flat {
            let (first, last) = (dims.start, dims.end.saturating_sub(1));
            let note = page!("Flattened: dimensions {first} to {last} are cut as one dimension.")?;
            self.notes.try_push(note)?;
        }
        if !found.uncut.is_empty() {
            let mut page = Page::default();
            page.put("Not cut: ")?;
            for (at, &dim) in found.uncut.iter().enumerate().take(MAX_NAMES) {
                let size = self.layouts.sizes().get(dim).copied().unwrap_or(0);
                page.put(format_args!("{}{} of size {size}", comma(at), self.dim_name(dim)?))?;
            }
            page.put(if found.uncut.len() > MAX_NAMES { ", ..." } else { "." })?;
            self.notes.try_push(page.into_text())?;
        }
        let shown = found.panels.iter().filter(|panel| panel.kind == PanelKind::Slice).count();
        if shown > 0 && found.slice_count != Some(shown) {
            let all = found.slice_count.map_or_else(|| page!("many"), |count| page!("{count}"))?;
            self.notes.try_push(page!("Slices: {shown} of {all} are drawn.")?)?;
        }
        Ok(())
    }

    /// The name of a dimension that is drawn.
    pub(super) fn dim_name(&self, dim: usize) -> Memory<String> {
        let flat = self.layouts.lists.first().and_then(|list| list.drawn_flat.clone());
        if let Some(dims) = flat {
            let (last, more) = (dims.end.saturating_sub(1), dims.len().saturating_sub(1));
            return match dim {
                dim if dim < dims.start => page!("dim {dim}"),
                dim if dim == dims.start => page!("dims {}-{last}", dims.start),
                _ => page!("dim {}", dim.saturating_add(more)),
            };
        }
        let names = self.facts.metadata.and_then(|metadata| metadata.dim_names());
        match names.and_then(|names| names.get(dim)) {
            Some(name) => page!("dim {dim} {}", shortened(name, MAX_NAME)?),
            None => page!("dim {dim}"),
        }
    }

    /// What a panel shows; empty, where it shows all.
    pub(super) fn caption(&self, panel: &Panel) -> Memory<String> {
        let mut page = Page::default();
        match panel.kind {
            PanelKind::Whole => return Ok(String::new()),
            PanelKind::Slice => {}
            PanelKind::Summary => {
                page.put("Summary: a cell has the elements of several shards")?;
                return Ok(page.into_text());
            }
            PanelKind::Detail => page.put("Detail: where the tensor begins")?,
        }
        let mut at = 0usize;
        for (dim, bins) in panel.grid.others.iter().filter(|(_, bins)| self.is_part(bins)) {
            let (first, last) = (bins.start(), bins.end().saturating_sub(1));
            let between = if panel.kind == PanelKind::Detail { ", " } else { comma(at) };
            page.put(format_args!("{between}{}: {first}", self.dim_name(*dim)?))?;
            if last > first {
                page.put(format_args!(" to {last}"))?;
            }
            at = at.saturating_add(1);
        }
        Ok(page.into_text())
    }

    /// Whether bins of a dimension that is no row and no column are to be named.
    fn is_part(&self, bins: &super::cuts::Bins) -> bool {
        let sizes = self.layouts.sizes();
        !sizes.iter().any(|&size| (bins.start(), bins.end()) == (0, size))
    }

    /// The explanation of a form of labels.
    pub(super) fn explanation(&self, form: LabelForm, labels: &Labels<'_>) -> Memory<[String; 2]> {
        let (times, arrow) = (labels.times(), labels.arrow());
        let (sign, meaning) = match form {
            LabelForm::Replicas => (page!("a&b")?, "both have the same elements: replicas"),
            LabelForm::List => (page!("a,b")?, "each has other elements of the cell"),
            LabelForm::Range => (page!("a..b")?, "from a to b, at equal steps"),
            LabelForm::Number => (page!("~n")?, "n owners have elements of the cell"),
            LabelForm::Copies => (page!("{times}n")?, "n owners have the same elements"),
            LabelForm::Overlap => (page!("!a&b")?, "overlap: both have the same elements"),
            LabelForm::Gap => (page!("?")?, "gap: no owner has the elements"),
            LabelForm::PartGap => (page!("?a")?, "gap: a has only a part of the cell"),
            LabelForm::Stays => (page!("a")?, "stays with a"),
            LabelForm::Moves => (page!("a{arrow}b")?, "moves from a to b"),
            LabelForm::MovesPartly => (page!("n%")?, "this part of the cell moves"),
        };
        Ok([sign, page!("{meaning}")?])
    }
}

/// The axes of a mesh.
fn mesh_text(mesh: &Mesh) -> Memory<String> {
    let mut page = Page::default();
    if mesh.ndim() == 0 {
        page.put("one device")?;
    }
    for (at, axis) in mesh.axes().iter().enumerate().take(MAX_NAMES) {
        let name = shortened(axis.name(), MAX_NAME)?;
        page.put(format_args!("{}{name}={}", comma(at), axis.size()))?;
    }
    page.put(if mesh.ndim() > MAX_NAMES { ", .." } else { "" })?;
    Ok(page.into_text())
}

/// A number and its noun.
fn counted(count: i128, noun: &str) -> Memory<String> {
    page!("{} {noun}{}", Thousands(count), if count == 1 { "" } else { "s" })
}

fn comma(at: usize) -> &'static str {
    if at > 0 { ", " } else { "" }
}

/// The number of elements of a tensor.
pub(super) fn numel(sizes: &[i64]) -> i128 {
    checked_numel(sizes).unwrap_or(i64::MAX).into()
}
