//! Names of files that say how many files a set has: `model-00002-of-00005.safetensors`.

use crate::memory::text;
use crate::model::Result;

/// Names of a set that says it has more files are not completed.
const MAX_FILES: u64 = 1 << 16;

/// A name, taken apart.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Numbered<'a> {
    before: &'a str,
    number: &'a str,
    count: &'a str,
    behind: &'a str,
}

impl<'a> Numbered<'a> {
    fn of(name: &'a str) -> Option<Self> {
        let (front, back) = name.rsplit_once("-of-")?;
        let (before, number) = front.rsplit_once('-')?;
        let digits = back.bytes().take_while(u8::is_ascii_digit).count();
        let (count, behind) = back.split_at_checked(digits)?;
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        // Those of one rank of many: a rank writes no file for what it has nothing of.
        let is_of_rank = before.starts_with("shard-");
        (is_number(number) && is_number(count) && !is_of_rank).then_some(Self {
            before,
            number,
            count,
            behind,
        })
    }
}

/// Calls `add` with each name that is missing among these, which are in order.
pub(super) fn missing_names(names: &[&str], mut add: impl FnMut(&str) -> Result<()>) -> Result<()> {
    let mut last: Option<Numbered<'_>> = None;
    for name in names.iter().filter_map(|name| Numbered::of(name)) {
        let same = |other: &Numbered<'_>| {
            (other.before, other.count, other.behind) == (name.before, name.count, name.behind)
        };
        if last.as_ref().is_some_and(same) {
            continue;
        }
        last = Some(name);
        let count = name.count.parse().unwrap_or(u64::MAX);
        if count > MAX_FILES {
            continue;
        }
        let (before, width, all, behind) =
            (name.before, name.number.len(), name.count, name.behind);
        for number in 1..=count {
            let expected = text!("{before}-{number:0width$}-of-{all}{behind}");
            if names.binary_search(&expected.as_str()).is_err() {
                add(&expected)?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn missing(names: &[&str]) -> Vec<String> {
        let mut missing = Vec::new();
        missing_names(names, |name| {
            missing.push(name.to_owned());
            Ok(())
        })
        .unwrap();
        missing
    }

    #[test]
    fn files_that_the_others_count_are_known_to_be_missing() {
        let names = ["model-00001-of-00004.safetensors", "model-00003-of-00004.safetensors"];
        let expected = ["model-00002-of-00004.safetensors", "model-00004-of-00004.safetensors"];
        assert_eq!(missing(&names), expected);
        assert!(missing(&["model-1-of-1.safetensors", "x.safetensors"]).is_empty());
    }

    #[test]
    fn names_that_count_nothing_miss_nothing() {
        for name in
            ["a-of-3", "of-3", "a-1-of-", "a-1-of-x", "a-1-of-99999999999999999999", "a-x-of-3"]
        {
            assert!(missing(&[name]).is_empty(), "{name}");
        }
        assert!(missing(&["shard-00001-model-00001-of-00002.safetensors"]).is_empty());
    }
}
