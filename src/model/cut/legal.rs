//! Which lengths may be cut into how many pieces.

use super::deal::Deal;
use super::segments::Cut;
use crate::error::{Error, Result, try_with_capacity};
use crate::model::error::ModelError;

/// The length of a dimension that is cut together with others: heads, experts, blocks of a quantised
/// weight.
#[derive(Debug, Clone, Copy)]
pub struct LengthCut<'a> {
    /// How many positions it has.
    pub length: i64,
    /// How it is cut, over an axis of any size. Its `repeat` may be
    /// [`Rule::REPEAT_AS_NEEDED`](super::Rule::REPEAT_AS_NEEDED).
    pub cut: &'a Cut,
}

impl Cut {
    /// Refuses a cut of `length` positions into the pieces of `count` coordinates that would not be
    /// made, and says why.
    pub fn check_length(&self, length: i64, count: i64) -> Result<()> {
        if count < 1 {
            return Err(Error::TooSmall { argument: "count", value: count, least: 1 });
        }
        if length < 0 {
            return Err(Error::TooSmall { argument: "length", value: length, least: 0 });
        }
        self.check(count)?;
        Deal::new(self, length, count).map(|_| ())
    }
}

/// The first of several lengths that can't be cut over an axis of `degree` coordinates, and why not.
///
/// Refused are numbers that no cut has at any degree.
pub fn first_forbidding(lengths: &[LengthCut<'_>], degree: i64) -> Result<Option<(usize, Error)>> {
    for (number, one) in lengths.iter().enumerate() {
        match one.cut.check_length(one.length, degree) {
            Ok(()) => {}
            Err(error) if is_of_degree(&error) => return Ok(Some((number, error))),
            Err(error) => return Err(error.at("cuts", number)),
        }
    }
    Ok(None)
}

/// For each degree of `1 ..= max_degree`, the first of several lengths that can't be cut over an axis of so
/// many coordinates; `None` where all can. The reasons are those of [`first_forbidding`].
///
/// Takes a few operations for each length and degree.
pub fn check_degrees(lengths: &[LengthCut<'_>], max_degree: i64) -> Result<Vec<Option<usize>>> {
    if max_degree < 1 {
        return Err(Error::TooSmall { argument: "max_degree", value: max_degree, least: 1 });
    }
    let mut all = try_with_capacity("degrees", usize::try_from(max_degree).unwrap_or(usize::MAX))?;
    for degree in 1..=max_degree {
        all.push(first_forbidding(lengths, degree)?.map(|(number, _)| number));
    }
    Ok(all)
}

/// Whether another number of coordinates might be accepted: the length does not suit this one, or lists of
/// pieces are made for another one.
fn is_of_degree(error: &Error) -> bool {
    match error {
        Error::Model(ModelError::IllegalCut { .. }) | Error::InvalidArgument { .. } => true,
        Error::At { error, .. } => is_of_degree(error),
        _ => false,
    }
}
