//! What is written into a cell.

use std::cell::Cell;

use crate::draw::cells::CellHolders;
use crate::draw::owner_table::OwnerTable;
use crate::draw::page::{Page, page, width};
use crate::draw::panel::PanelCell;
use crate::memory::{Memory, TryVec};

/// The longest label.
const MAX_TITLE: usize = 96;

/// What a cell is marked as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    /// One owner has all of it.
    Owned,
    /// Several owners have parts of it, too small to be drawn apart.
    Mixed,
    /// Several owners have the same elements, as declared.
    Replicated,
    /// Several owners have the same elements, and nothing declares it.
    Overlap,
    /// No owner has any of it.
    Gap,
    /// Some of it has no owner.
    PartGap,
    /// Of two layouts: all of it stays with its owners.
    Stays,
    /// Of two layouts: some of it gets other owners.
    MovesPartly,
    /// Of two layouts: all of it gets other owners.
    Moves,
}

/// What labels consist of, where it needs an explanation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LabelForm {
    Replicas,
    List,
    Range,
    Number,
    Copies,
    Overlap,
    Gap,
    PartGap,
    Stays,
    Moves,
    MovesPartly,
}

/// All forms, in the order in which they are explained.
pub(super) const FORMS: [LabelForm; 11] = [
    LabelForm::Replicas,
    LabelForm::List,
    LabelForm::Range,
    LabelForm::Number,
    LabelForm::Copies,
    LabelForm::Overlap,
    LabelForm::Gap,
    LabelForm::PartGap,
    LabelForm::Stays,
    LabelForm::Moves,
    LabelForm::MovesPartly,
];

/// Labels of the cells of a picture.
pub(super) struct Labels<'a> {
    pub(super) owners: &'a OwnerTable<'a>,
    /// Whether shards may share elements.
    pub(super) has_replicas: bool,
    pub(super) is_ascii: bool,
    /// The forms that were used.
    used: Cell<u32>,
}

impl PanelCell {
    /// The mark of a cell, of shards that may share elements or not.
    pub(super) fn mark(&self, has_replicas: bool) -> Mark {
        if let Some((_, stays)) = self.before {
            return match stays {
                _ if stays >= self.holders.held => Mark::Stays,
                0 => Mark::Moves,
                _ => Mark::MovesPartly,
            };
        }
        let volume = i128::from(self.volume);
        match self.holders.held {
            0 => Mark::Gap,
            held if held > volume && has_replicas => Mark::Replicated,
            held if held > volume => Mark::Overlap,
            held if held < volume => Mark::PartGap,
            _ if self.holders.owners == 1 => Mark::Owned,
            _ => Mark::Mixed,
        }
    }
}

impl<'a> Labels<'a> {
    pub(super) fn new(owners: &'a OwnerTable<'a>, has_replicas: bool, is_ascii: bool) -> Self {
        Self { owners, has_replicas, is_ascii, used: Cell::new(0) }
    }

    /// Whether a form was used, and so needs its explanation.
    pub(super) fn has_used(&self, form: LabelForm) -> bool {
        self.used.get() & bit(form) != 0
    }

    fn used(&self, form: LabelForm) {
        self.used.set(self.used.get() | bit(form));
    }

    /// The sign before a number of copies.
    pub(super) fn times(&self) -> char {
        if self.is_ascii { 'x' } else { '×' }
    }

    /// The sign between an owner and the next one.
    pub(super) fn arrow(&self) -> &'static str {
        if self.is_ascii { "->" } else { "→" }
    }

    /// The longest label of a cell that has at most `room` signs; empty, where there is none.
    pub(super) fn of(&self, cell: &PanelCell, room: usize) -> Memory<String> {
        let mark = cell.mark(self.has_replicas);
        let mut options: Vec<(String, Option<LabelForm>)> = Vec::new();
        self.push_options(cell, mark, &mut options)?;
        for (label, form) in options {
            if width(&label) <= room {
                let (form, of_mark) = match mark {
                    // What holders of an overlap have in common is no replica.
                    Mark::Overlap => (None, Some(LabelForm::Overlap)),
                    Mark::PartGap => (form, Some(LabelForm::PartGap)),
                    Mark::Stays => (form, Some(LabelForm::Stays)),
                    _ => (form, None),
                };
                form.into_iter().chain(of_mark).for_each(|form| self.used(form));
                return Ok(label);
            }
        }
        Ok(String::new())
    }

    /// The longest label of a cell, which explains itself.
    pub(super) fn of_title(&self, cell: &PanelCell) -> Memory<String> {
        let used = self.used.get();
        let label = self.of(cell, MAX_TITLE)?;
        self.used.set(used);
        Ok(label)
    }

    /// How wide the label of a cell is that says all that fits into a usual cell.
    pub(super) fn usual_width(&self, cell: &PanelCell, most: usize) -> Memory<usize> {
        let used = self.used.get();
        let label = self.of(cell, most)?;
        self.used.set(used);
        Ok(width(&label).max(1))
    }

    fn push_options(
        &self, cell: &PanelCell, mark: Mark, options: &mut Vec<(String, Option<LabelForm>)>,
    ) -> Memory<()> {
        match mark {
            Mark::Gap => {
                options.try_push((page!("no owner")?, None))?;
                options.try_push((page!("gap")?, None))?;
                options.try_push((page!("?")?, Some(LabelForm::Gap)))
            }
            Mark::Overlap => self.push_holders(&cell.holders, cell.volume, "!", options),
            Mark::PartGap => self.push_holders(&cell.holders, cell.volume, "?", options),
            Mark::Moves => self.push_moves(cell, options),
            Mark::MovesPartly => {
                let (_, stays) = cell.before.unwrap_or_default();
                let held = cell.holders.held;
                let percent = held.saturating_sub(stays).saturating_mul(100).checked_div(held);
                let percent = percent.unwrap_or(0).clamp(1, 99);
                for text in
                    [page!("{percent} % moves")?, page!("{percent} %")?, page!("{percent}%")?]
                {
                    options.try_push((text, Some(LabelForm::MovesPartly)))?;
                }
                Ok(())
            }
            _ => self.push_holders(&cell.holders, cell.volume, "", options),
        }
    }

    fn push_moves(
        &self, cell: &PanelCell, options: &mut Vec<(String, Option<LabelForm>)>,
    ) -> Memory<()> {
        let (before, _) = cell.before.unwrap_or_default();
        let mut sides = [Vec::new(), Vec::new()];
        self.push_holders(&before, cell.volume, "", &mut sides[0])?;
        self.push_holders(&cell.holders, cell.volume, "", &mut sides[1])?;
        let arrow = self.arrow();
        // Names that say less follow names that say more; the last ones of both are the shortest.
        let [from, to] = &sides;
        // The first names have a word that an arrow needs no more.
        let (Some(from_last), Some(to_last)) = (from.len().checked_sub(1), to.len().checked_sub(1))
        else {
            return Ok(());
        };
        for at in 1..=from_last.max(to_last).max(1) {
            if let (Some((from, _)), Some((to, _))) =
                (from.get(at.min(from_last)), to.get(at.min(to_last)))
            {
                options.try_push((page!("{from}{arrow}{to}")?, Some(LabelForm::Moves)))?;
            }
        }
        Ok(())
    }

    /// The ways to name the holders of a cell, from long to short.
    fn push_holders(
        &self, holders: &CellHolders, volume: i64, sign: &str,
        options: &mut Vec<(String, Option<LabelForm>)>,
    ) -> Memory<()> {
        let (volume, times) = (i128::from(volume), self.times());
        let top = holders.top();
        let count = holders.owners;
        if let [(owner, _)] = *top {
            let copies = holders.held.checked_div(volume.max(1)).unwrap_or(1);
            if copies > 1 {
                let name = self.owners.short_name(owner)?;
                let label = page!("{sign}{name} {times}{copies}")?;
                return options.try_push((label, Some(LabelForm::Copies)));
            }
            options.try_push((page!("{sign}{}", self.owners.name(owner)?)?, None))?;
            return options.try_push((page!("{sign}{}", self.owners.short_name(owner)?)?, None));
        }
        let is_same = top.iter().all(|(_, elements)| i128::from(*elements) == volume)
            && holders.held == volume.saturating_mul(count.into());
        let (between, form) =
            if is_same { ('&', LabelForm::Replicas) } else { (',', LabelForm::List) };
        if count as usize <= top.len() {
            let mut list = Page::default();
            list.put(sign)?;
            // In the order of owners, not of their elements.
            let mut owners = [u32::MAX; super::cells::TOP];
            owners.iter_mut().zip(top).for_each(|(place, (owner, _))| *place = *owner);
            owners.sort_unstable();
            for (at, &owner) in owners.iter().take(top.len()).enumerate() {
                if at > 0 {
                    list.put(between)?;
                }
                list.put(self.owners.short_name(owner)?)?;
            }
            let list = list.into_text();
            let are_ranks = top.iter().all(|(owner, _)| self.owners.rank(*owner).is_some());
            if are_ranks && sign.is_empty() {
                options.try_push((page!("ranks {list}")?, Some(form)))?;
            }
            options.try_push((list, Some(form)))?;
        }
        if let Some(range) = self.range(holders, between)? {
            options.try_push((page!("{sign}{range}")?, Some(LabelForm::Range)))?;
        }
        if is_same {
            options.try_push((page!("{sign}{count} copies")?, Some(LabelForm::Copies)))?;
            return options.try_push((page!("{sign}{times}{count}")?, Some(LabelForm::Copies)));
        }
        options.try_push((page!("{sign}{count} owners")?, Some(LabelForm::Number)))?;
        options.try_push((page!("{sign}~{count}")?, Some(LabelForm::Number)))
    }
}

impl Labels<'_> {
    /// The owners of a cell as a range, if they are ranks at equal steps: "0..7", "0,2..14".
    fn range(&self, holders: &CellHolders, between: char) -> Memory<Option<String>> {
        let Some((first, second, last)) = holders.regular() else { return Ok(None) };
        let ranks = [first, second, last].map(|owner| self.owners.rank(owner));
        let [Some(first_rank), Some(second_rank), Some(last_rank)] = ranks else { return Ok(None) };
        // Numbers of owners are those of ranks only if there is a shard on each rank.
        let distance = last_rank.checked_sub(first_rank);
        if distance != Some(i64::from(last.saturating_sub(first))) {
            return Ok(None);
        }
        let is_next = first.checked_add(1) == Some(second);
        Ok(Some(if is_next && between == ',' {
            page!("{first_rank}..{last_rank}")?
        } else {
            page!("{first_rank}{between}{second_rank}..{last_rank}")?
        }))
    }
}

fn bit(form: LabelForm) -> u32 {
    let place = FORMS.iter().position(|other| *other == form).unwrap_or(0);
    1u32.checked_shl(place as u32).unwrap_or(0)
}
