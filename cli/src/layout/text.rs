//! One layout as a user writes it: `[MESH:] TEXT`, where the form of the text mostly says which notation it
//! is in.

use shardspec::model::{Mesh, MeshCut, MeshLayout, MeshShardingSpec, Reduction, RuleKind};
use shardspec::notation::{self, Notation, parse_descriptor};

use super::{Layout, mesh, words};

/// How a text begins that names its notation.
const PREFIXES: &[(&str, Form)] = &[
    ("dtensor", Form::Notation(Notation::DTensor)),
    ("jax", Form::Notation(Notation::Jax)),
    ("xla", Form::Notation(Notation::Xla)),
    ("shardy", Form::Notation(Notation::Shardy)),
    ("scalapack", Form::Scalapack),
    ("words", Form::Words),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Notation(Notation),
    Scalapack,
    Words,
}

/// The layout of a text. `default_mesh` is for texts that have no mesh.
pub fn parse(text: &str, default_mesh: Option<&str>) -> Result<Layout, String> {
    if text.is_empty() {
        return Err("the layout is empty".to_owned());
    }
    let (own_mesh, text) = match text.split_once(':') {
        Some((before, rest)) => match mesh::parse(before) {
            Some(mesh) => (Some(mesh?), rest.trim()),
            None => (None, text),
        },
        None => (None, text),
    };
    if let Some(layout) = named(text, &own_mesh) {
        return layout;
    }
    let mesh = match (own_mesh, default_mesh) {
        (Some(mesh), _) => mesh,
        (None, Some(text)) => mesh::require(text)?,
        (None, None) => {
            return Err(format!(
                "it has no mesh; write one before it, such as 'tp=4: {text}', or pass --mesh"
            ));
        }
    };
    let (form, text) = form_of(text)?;
    let spec = match form {
        Form::Notation(notation) => {
            notation::parse(notation, text, mesh).map_err(|error| error.to_string())
        }
        Form::Words => words::parse(text, mesh),
        Form::Scalapack => descriptor(text, mesh),
    };
    Ok(Layout::new(spec?))
}

/// The notation of a text, and the text without its name.
fn form_of(text: &str) -> Result<(Form, &str), String> {
    if let Some((before, rest)) = text.split_once(':')
        && let Some((_, form)) = PREFIXES.iter().find(|(name, _)| *name == before.trim())
    {
        return Ok((*form, rest.trim()));
    }
    let begins = |starts: &[&str]| starts.iter().any(|start| text.starts_with(start));
    let form = if begins(&["{"]) {
        Form::Notation(Notation::Xla)
    } else if begins(&["sharding<", "#sdy", "<@"]) {
        Form::Notation(Notation::Shardy)
    } else if begins(&["PartitionSpec"]) || (begins(&["P("]) && !is_reduction(text)) {
        Form::Notation(Notation::Jax)
    } else if begins(&["dim", "pad ", "flatten ", "partial ", "replicated"]) {
        Form::Words
    } else if begins(&["S(", "_S", "R", "P(", "Partial", "Shard(", "(", "["]) {
        Form::Notation(Notation::DTensor)
    } else {
        return Err("its notation is not recognised; write its name before it, such as \
                    'dtensor:S(0)' or 'jax:P(\"tp\")'"
            .to_owned());
    };
    Ok((form, text))
}

/// Whether `P(` begins a reduction of DTensor and not a partition spec.
fn is_reduction(text: &str) -> bool {
    let inner = text.strip_prefix("P(").and_then(|rest| rest.split_once(')'));
    inner.is_some_and(|(name, _)| Reduction::parse(name.trim()).is_ok())
}

/// A layout by a name that has its mesh: `fsdp=8`.
fn named(text: &str, own_mesh: &Option<Mesh>) -> Option<Result<Layout, String>> {
    let (name, size) = match text.split_once('=') {
        Some((name, size)) => (name.trim(), Some(size.trim())),
        None => (text, None),
    };
    let dim = match name {
        "fsdp" | "hsdp" | "tp:column" => Some(0),
        "tp:row" => Some(1),
        "replicated" | "whole" => None,
        _ => return None,
    };
    // "tp=4: replicated" is a mesh and words.
    match (own_mesh, size) {
        (Some(_), None) if name == "replicated" => return None,
        (None, None) if name == "replicated" => return None,
        (Some(_), _) => {
            return Some(Err(format!("'{name}' has a mesh of its own; write '{text}'")));
        }
        _ => {}
    }
    Some(layout_of(name, size, dim))
}

fn layout_of(name: &str, size: Option<&str>, dim: Option<i64>) -> Result<Layout, String> {
    let missing = || format!("'{name}' needs a number of ranks, such as {name}={}", example(name));
    let size = match (name, size) {
        ("whole", None) => "1",
        ("whole", Some(_)) => return Err("'whole' is one shard, and has no number".to_owned()),
        (_, size) => size.ok_or_else(missing)?,
    };
    let sizes: Option<Vec<i64>> = size.split('x').map(|size| size.trim().parse().ok()).collect();
    let axes = match (name, sizes.unwrap_or_default().as_slice()) {
        ("hsdp", &[replicas, shards]) => vec![("dp_replicate", replicas), ("dp_shard", shards)],
        ("fsdp", &[ranks]) => vec![("fsdp", ranks)],
        ("tp:column" | "tp:row", &[ranks]) => vec![("tp", ranks)],
        ("replicated", &[ranks]) => vec![("replica", ranks)],
        ("whole", _) => vec![("one", 1)],
        _ => return Err(missing()),
    };
    let build = || {
        let mut layout = MeshLayout::default();
        if let (Some(dim), Some((axis, _))) = (dim, axes.last()) {
            layout.cuts.push(MeshCut::new(dim, axis, RuleKind::Chunk)?);
        }
        MeshShardingSpec::new(Mesh::new(&axes)?, layout)
    };
    let spec = build().map_err(|error| error.to_string())?;
    Ok(Layout { keeps_vectors: name == "tp:row", ..Layout::new(spec) })
}

fn example(name: &str) -> &'static str {
    if name == "hsdp" { "2x4" } else { "8" }
}

/// The layout of a matrix by a descriptor of ScaLAPACK.
fn descriptor(text: &str, mesh: Mesh) -> Result<MeshShardingSpec, String> {
    let inner = text.trim_start_matches(['[', '(']).trim_end_matches([']', ')']);
    let numbers: Option<Vec<i64>> =
        inner.split(',').map(|number| number.trim().parse().ok()).collect();
    let numbers = numbers
        .and_then(|numbers| <[i64; 9]>::try_from(numbers).ok())
        .ok_or("a descriptor of ScaLAPACK is nine integers: DTYPE,CTXT,M,N,MB,NB,RSRC,CSRC,LLD")?;
    parse_descriptor(&numbers, mesh, 0).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_of_a_text_says_its_notation() {
        for (text, expected) in [
            ("S(0)R", Form::Notation(Notation::DTensor)),
            ("(Shard(dim=0), Replicate())", Form::Notation(Notation::DTensor)),
            ("[S(0), R]", Form::Notation(Notation::DTensor)),
            ("P(sum)S(0)", Form::Notation(Notation::DTensor)),
            ("Partial(sum)", Form::Notation(Notation::DTensor)),
            ("_S(0, 2)S(0)", Form::Notation(Notation::DTensor)),
            ("P('dp')", Form::Notation(Notation::Jax)),
            ("P()", Form::Notation(Notation::Jax)),
            ("P(None, ('a', 'b'))", Form::Notation(Notation::Jax)),
            ("PartitionSpec('x')", Form::Notation(Notation::Jax)),
            ("{replicated}", Form::Notation(Notation::Xla)),
            ("sharding<@mesh, []>", Form::Notation(Notation::Shardy)),
            ("dim 0 over tp", Form::Words),
            ("partial tp (sum)", Form::Words),
            ("words: replicated", Form::Words),
            ("jax: P('dp')", Form::Notation(Notation::Jax)),
        ] {
            assert_eq!(form_of(text).map(|(form, _)| form), Ok(expected), "{text}");
        }
        assert!(form_of("magic").is_err() && form_of("numpy: S(0)").is_err());
    }

    #[test]
    fn no_text_ends_the_program() {
        let seeds = [
            "dp=2,tp=4: RS(0)",
            "tp=4: P('tp', None)",
            "2x2: {devices=[2,2]<=[4]}",
            "tp=2: sharding<@mesh, [{\"tp\"}, {}]>",
            "tp=2: dim 0 over tp by chunk, even in 2 equal segments; pad dim 1 to a multiple of 8",
            "tp=2: dim 0 over tp by segments [4 by chunk, 2 by cyclic of 1]",
            "p=2,q=2: scalapack:1,0,8,8,2,2,0,0,4",
            "hsdp=2x4",
            "tp:row=4",
        ];
        let mut state = 0x5eed_u64;
        let mut random = |limit: usize| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize % limit.max(1)
        };
        for _ in 0..20_000 {
            let seed: Vec<char> = seeds[random(seeds.len())].chars().collect();
            let mut text = seed.clone();
            for _ in 0..random(4) + 1 {
                let at = random(text.len());
                match random(3) {
                    0 => drop(text.remove(at)),
                    1 => text.insert(at, ['9', ':', '=', '(', ',', 'é', ' ', '-'][random(8)]),
                    _ => text[at] = seed[random(seed.len())],
                }
                if text.is_empty() {
                    break;
                }
            }
            let text: String = text.into_iter().collect();
            if let Ok(layout) = parse(&text, Some("tp=2")) {
                let _ = layout.build(&[8, 6], None);
            }
        }
    }
}
