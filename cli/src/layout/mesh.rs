//! Meshes as a user writes them.

use shardspec::model::Mesh;

/// Names of axes of which the user gives sizes only.
const NAMES: [&str; 4] = ["x", "y", "z", "w"];

/// A mesh of a text: `dp=2,tp=4`, or sizes alone, as `2x4` and `8`. `None`: the text is no mesh.
pub fn parse(text: &str) -> Option<Result<Mesh, String>> {
    let text = text.trim();
    let axes = match text.contains('=') {
        true => named(text)?,
        false => unnamed(text)?,
    };
    let axes: Vec<(&str, i64)> = axes;
    Some(Mesh::new(&axes).map_err(|error| error.to_string()))
}

/// The mesh of a text that must be one.
pub fn require(text: &str) -> Result<Mesh, String> {
    parse(text).unwrap_or_else(|| {
        Err(format!(
            "{text:?} is no mesh; write names and sizes, such as dp=2,tp=4, or sizes, such as 2x4"
        ))
    })
}

fn named(text: &str) -> Option<Vec<(&str, i64)>> {
    let axes = text.split(',').map(|axis| {
        let (name, size) = axis.split_once('=')?;
        let name = name.trim();
        let is_name = !name.is_empty()
            && name.chars().all(|letter| letter.is_alphanumeric() || "_-.".contains(letter));
        is_name.then_some((name, size.trim().parse().ok()?))
    });
    axes.collect()
}

fn unnamed(text: &str) -> Option<Vec<(&str, i64)>> {
    let sizes: Option<Vec<i64>> = text.split('x').map(|size| size.trim().parse().ok()).collect();
    let sizes = sizes.filter(|sizes| sizes.len() <= NAMES.len())?;
    Some(NAMES.into_iter().zip(sizes).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn meshes_are_read_with_and_without_names() {
        for (text, expected) in [
            ("dp=2,tp=4", "dp=2, tp=4"),
            (" dp = 2 , tp = 4 ", "dp=2, tp=4"),
            ("8", "x=8"),
            ("2x4", "x=2, y=4"),
        ] {
            assert_eq!(require(text).unwrap().to_string(), expected);
        }
        for text in ["", "dp", "dp=", "=2", "dp=2,", "2x", "1x1x1x1x1", "a b=2", "dp=2;tp=4"] {
            assert!(parse(text).is_none(), "{text}");
        }
        assert!(require("dp=0").unwrap_err().contains("too small"));
        assert!(require("a=2,a=2").unwrap_err().contains("names two axes"));
    }
}
