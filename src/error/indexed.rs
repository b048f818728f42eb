//! The text of a refusal of one element of an array argument.

use std::fmt::{self, Write};

/// The problem of one element of an array argument, shown as `placements[1]: is NULL`.
///
/// A problem that starts with the argument's name, as `placements: is NULL` and
/// `shards.offsets: is NULL` do, gets the position into that name. Others follow the name.
pub(crate) struct Indexed<'a, P> {
    /// The argument's name, as in the header.
    pub(crate) argument: &'a str,
    /// The element's position in it.
    pub(crate) index: usize,
    /// Which shard the element stands for, where that is another number than its position.
    pub(crate) shard: Option<usize>,
    /// The problem.
    pub(crate) problem: P,
}

impl<P: fmt::Display> fmt::Display for Indexed<'_, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.argument)?;
        write!(f, "[{}]", self.index)?;
        if let Some(shard) = self.shard.filter(|&shard| shard != self.index) {
            write!(f, " (shard {shard})")?;
        }
        let mut rest = AfterName { out: f, name: self.argument, seen: 0, at_name: true };
        write!(rest, "{}", self.problem)?;
        rest.end()
    }
}

/// Passes a text on, without the name that it may start with.
struct AfterName<'a, 'f> {
    out: &'a mut fmt::Formatter<'f>,
    name: &'a str,
    /// How many bytes of the name the text started with so far.
    seen: usize,
    /// Whether the text may still turn out to start with the name.
    at_name: bool,
}

impl AfterName<'_, '_> {
    /// The text does not start with the name: writes the buffered part of the name.
    fn flush(&mut self) -> fmt::Result {
        self.at_name = false;
        self.out.write_str(": ")?;
        self.out.write_str(self.name.get(..self.seen).unwrap_or(self.name))
    }

    /// Call it after the whole text.
    fn end(mut self) -> fmt::Result {
        if self.at_name { self.flush() } else { Ok(()) }
    }
}

impl Write for AfterName<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut text = text;
        while self.at_name && !text.is_empty() {
            let name = self.name.get(self.seen..).unwrap_or("");
            let common = name.bytes().zip(text.bytes()).take_while(|(a, b)| a == b).count();
            self.seen = self.seen.saturating_add(common);
            text = text.get(common..).unwrap_or("");
            match text.bytes().next() {
                None => return Ok(()),
                // The name is over, and not the start of a longer word.
                Some(b':' | b'.') if self.seen == self.name.len() => self.at_name = false,
                Some(_) => self.flush()?,
            }
        }
        self.out.write_str(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_position_goes_into_the_name_that_a_problem_starts_with() {
        let shown = |argument, index, problem: fmt::Arguments<'_>| {
            Indexed { argument, index, shard: None, problem }.to_string()
        };
        let name = "placements";
        assert_eq!(shown(name, 1, format_args!("placements: is NULL")), "placements[1]: is NULL");
        assert_eq!(shown(name, 1, format_args!("{name}: is NULL")), "placements[1]: is NULL");
        let parts = shown(name, 1, format_args!("{}{}{}", "place", "ments", ": is NULL"));
        assert_eq!(parts, "placements[1]: is NULL");
        assert_eq!(shown("shards", 3, format_args!("shards.sizes: no")), "shards[3].sizes: no");
        let others = ["placement 'x' is none", "placementss: no", "place", "placements", "", "x"];
        for problem in others {
            let expected = format!("placements[0]: {problem}");
            assert_eq!(shown(name, 0, format_args!("{problem}")), expected);
        }
    }

    #[test]
    fn a_shard_is_named_where_it_is_not_at_its_position() {
        let shown = |shard| Indexed { argument: "to", index: 1, shard, problem: "no" }.to_string();
        assert_eq!(shown(Some(5)), "to[1] (shard 5): no");
        assert_eq!(shown(Some(1)), "to[1]: no");
    }
}
