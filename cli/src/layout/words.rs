//! Layouts in words, as the library prints them: `dimension 0 over tp by chunk; pad dimension 1 to a
//! multiple of 8; partial dp (sum)`.

use shardspec::model::{
    Cut, Mesh, MeshCut, MeshLayout, MeshShardingSpec, Pad, PadTo, PartialAxis, Reduction, Rule,
    RuleKind, Segment, Segments,
};

type Parsed<T> = Result<T, String>;

/// The spec over a mesh that some words say.
pub fn parse(text: &str, mesh: Mesh) -> Parsed<MeshShardingSpec> {
    let mut words = Words { rest: text };
    let mut layout = MeshLayout::default();
    loop {
        words.part(&mut layout)?;
        if words.is_end() {
            break;
        }
        words.expect(";")?;
    }
    MeshShardingSpec::new(mesh, layout).map_err(|error| error.to_string())
}

/// Words, numbers and marks that are left.
struct Words<'a> {
    rest: &'a str,
}

impl<'a> Words<'a> {
    /// The next word, number or mark; empty at the end.
    fn peek(&self) -> &'a str {
        let rest = self.rest.trim_start();
        let is_of_word = |letter: char| letter.is_alphanumeric() || "_-.".contains(letter);
        let length = rest.find(|letter| !is_of_word(letter)).unwrap_or(rest.len());
        let first = rest.chars().next().map_or(0, char::len_utf8);
        rest.get(..length.max(first)).unwrap_or(rest)
    }

    fn next(&mut self) -> &'a str {
        let word = self.peek();
        self.rest = self.rest.trim_start().get(word.len()..).unwrap_or("");
        word
    }

    fn is_end(&self) -> bool {
        self.peek().is_empty()
    }

    /// Takes a word, if it is the next one.
    fn eat(&mut self, word: &str) -> bool {
        let is_next = self.peek() == word;
        if is_next {
            self.next();
        }
        is_next
    }

    fn expect(&mut self, word: &str) -> Parsed<()> {
        if self.eat(word) { Ok(()) } else { Err(self.unexpected(&format!("{word:?}"))) }
    }

    fn unexpected(&self, expected: &str) -> String {
        match self.peek() {
            "" => format!("it ends where {expected} is expected"),
            word => format!("found {word:?}, expected {expected}"),
        }
    }

    fn number(&mut self) -> Parsed<i64> {
        let problem = self.unexpected("a number");
        self.next().parse().map_err(|_| problem)
    }

    fn dim(&mut self) -> Parsed<i64> {
        if !self.eat("dimension") {
            self.expect("dim")?;
        }
        self.number()
    }

    /// Reads what stands between two semicolons.
    fn part(&mut self, layout: &mut MeshLayout) -> Parsed<()> {
        match self.peek() {
            "replicated" => {
                self.next();
            }
            "flatten" => {
                self.next();
                if !self.eat("dimensions") {
                    self.expect("dims")?;
                }
                let first = self.number()?;
                self.expect("to")?;
                let last = self.number()?;
                let index = |number: i64| {
                    usize::try_from(number).map_err(|_| format!("{number} is no dimension"))
                };
                layout.flatten = Some(index(first)?..index(last)?.saturating_add(1));
            }
            "pad" => {
                self.next();
                let dim = self.dim()?.into();
                self.expect("to")?;
                let to = match self.eat("a") {
                    true => {
                        self.expect("multiple")?;
                        self.expect("of")?;
                        PadTo::Multiple(self.number()?)
                    }
                    false => PadTo::Size(self.number()?),
                };
                layout.pads.push(Pad { dim, to });
            }
            "partial" => {
                self.next();
                let axis = self.next().into();
                self.expect("(")?;
                let reduction = Reduction::parse(self.next()).map_err(|error| error.to_string())?;
                self.expect(")")?;
                layout.partial.push(PartialAxis { axis, reduction });
            }
            "dim" | "dimension" => {
                let dim = self.dim()?;
                self.expect("over")?;
                let axis = self.next();
                let cut = if self.eat("by") { self.cut()? } else { RuleKind::Chunk.into() };
                let cut = MeshCut::new(dim, axis, cut).map_err(|error| error.to_string())?;
                layout.cuts.push(cut);
            }
            _ => {
                return Err(self.unexpected(
                    "'dim N over AXIS', 'pad dim N to N', 'flatten dims N to N', 'partial AXIS (sum)' or \
                     'replicated'",
                ));
            }
        }
        Ok(())
    }

    fn cut(&mut self) -> Parsed<Cut> {
        if self.eat("segments") {
            self.expect("[")?;
            let mut segments = vec![self.segment()?];
            while self.eat(",") {
                segments.push(self.segment()?);
            }
            self.expect("]")?;
            let segments = Segments::Listed(segments.into());
            return Ok(Cut { rule: RuleKind::Chunk.into(), segments });
        }
        let rule = self.rule()?;
        let segments = match self.eat("in") {
            true => {
                let number = self.number()?;
                self.expect("equal")?;
                self.expect("segments")?;
                Segments::Equal(number)
            }
            false => Segments::One,
        };
        Ok(Cut { rule, segments })
    }

    fn segment(&mut self) -> Parsed<Segment> {
        let size = self.number()?;
        self.expect("by")?;
        Ok(Segment { size, rule: self.rule()? })
    }

    fn rule(&mut self) -> Parsed<Rule> {
        let expected = "a rule: chunk, balanced, sizes [...], weights [...] or cyclic of N";
        let problem = self.unexpected(expected);
        let kind = match self.next() {
            "chunk" => RuleKind::Chunk,
            "balanced" => RuleKind::Balanced,
            "sizes" => RuleKind::Sizes(self.numbers()?),
            "weights" => RuleKind::Weights(self.numbers()?),
            "cyclic" => {
                let block = if self.eat("of") { self.number()? } else { 1 };
                let first = if self.eat("from") { self.number()? } else { 0 };
                RuleKind::Cyclic { block, first }
            }
            _ => return Err(problem),
        };
        let mut rule = Rule::from(kind);
        loop {
            // The comma may also be that before the next segment.
            let after = self.rest.trim_start().strip_prefix(',').map(|rest| Words { rest });
            let Some(mut after) = after else { return Ok(rule) };
            match after.next() {
                "granule" => rule.granule = after.number()?,
                "repeat" if after.eat("as") => {
                    after.expect("needed")?;
                    rule.repeat = Rule::REPEAT_AS_NEEDED;
                }
                "repeat" => rule.repeat = after.number()?,
                "even" => rule.even = true,
                _ => return Ok(rule),
            }
            self.rest = after.rest;
        }
    }

    fn numbers(&mut self) -> Parsed<Box<[i64]>> {
        self.expect("[")?;
        let mut numbers = vec![self.number()?];
        while self.eat(",") {
            numbers.push(self.number()?);
        }
        self.expect("]")?;
        Ok(numbers.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mesh() -> Mesh {
        Mesh::new(&[("dp", 2), ("tp", 4)]).unwrap()
    }

    #[test]
    fn what_the_library_prints_is_read_again() {
        for text in [
            "replicated",
            "dimension 0 over tp by chunk",
            "dimension 0 over dp by balanced; dimension 0 over tp by chunk, even",
            "dimension -1 over tp by cyclic of 2 from 1",
            "dimension 0 over tp by sizes [1, 2, 3, 4], repeat 1",
            "dimension 0 over tp by weights [1, 0, 3, 4]",
            "dimension 0 over tp by chunk, granule 2, repeat 2, even in 3 equal segments",
            "dimension 0 over tp by segments [8 by chunk, granule 2, even, 4 by balanced, repeat as needed]",
            "flatten dimensions 0 to 1; pad dimension 0 to a multiple of 8; dimension 0 over tp by chunk",
            "pad dimension 1 to 16; dimension 1 over dp by chunk; partial tp (sum)",
        ] {
            let parsed =
                parse(text, mesh()).map_err(|problem| format!("{text}: {problem}")).unwrap();
            let printed = parsed.layout().to_string();
            assert_eq!(printed, text.replace(", repeat 1", ""));
            assert_eq!(parse(&printed, mesh()).unwrap(), parsed, "{text}");
        }
    }

    #[test]
    fn short_words_have_the_meaning_that_is_expected() {
        let parsed = parse("dim 0 over tp", mesh()).unwrap();
        assert_eq!(parsed.layout().to_string(), "dimension 0 over tp by chunk");
        let parsed = parse("dim 1 over tp by cyclic", mesh()).unwrap();
        assert_eq!(parsed.layout().to_string(), "dimension 1 over tp by cyclic of 1 from 0");
    }

    #[test]
    fn wrong_words_are_refused_by_name() {
        for (text, expected) in [
            ("dim 0", "it ends where \"over\" is expected"),
            ("dim x over tp", "found \"x\", expected a number"),
            ("dim 0 over tp by halves", "found \"halves\", expected a rule"),
            ("dim 0 over tp by chunk even", "found \"even\", expected \";\""),
            ("dim 0 over pp", "no axis named \"pp\""),
            ("cut 0", "found \"cut\", expected 'dim N over AXIS'"),
            ("pad dim 0 to a lot", "found \"lot\", expected \"multiple\""),
            ("dim 0 over tp by sizes [1, 2", "it ends where \"]\" is expected"),
            ("partial tp (mode)", "is not a reduction"),
            ("dim 0 over tp; dim 1 over tp", "used twice"),
            ("dim 0 over tp;", "it ends where"),
        ] {
            let problem = parse(text, mesh()).unwrap_err();
            assert!(problem.contains(expected), "{text}: {problem}");
        }
    }
}
