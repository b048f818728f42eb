//! `digest`: of the tensors of a checkpoint, of a layout, or of two checkpoints that are compared.

use indicatif::ProgressBar;
use serde_json::{Value, json};
use shardspec::files::{FileSet, ReadOptions, StoredTensor, digest};

use crate::Answer;
use crate::arguments::DigestArguments;
use crate::checkpoint;
use crate::failure::Failure;
use crate::layout::Layouts;
use crate::output::Output;
use crate::progress;
use crate::units;

pub fn run(arguments: &DigestArguments, output: &mut Output, quiet: bool) -> Answer {
    let layouts = Layouts::new(&arguments.layout)?;
    match (&arguments.path, &arguments.other) {
        (Some(path), Some(other)) => compare(path, other, arguments, output, quiet),
        (Some(path), None) => of_checkpoint(path, &layouts, arguments, output, quiet),
        (None, _) => of_layout(&layouts, arguments, output),
    }
}

/// The digests of some tensors, in their order.
fn digests(
    (path, set): (&str, &FileSet), tensors: &[&StoredTensor], memory: usize, bar: &ProgressBar,
) -> Result<Vec<u64>, Failure> {
    let mut digests = Vec::new();
    for tensor in tensors {
        let before = bar.position();
        let own = digest(set, tensor, memory, &ReadOptions::default(), &mut |done, _| {
            bar.set_position(before + done);
            Ok(())
        });
        digests.push(own.map_err(|error| {
            bar.finish_and_clear();
            Failure::of(format!("{path}: tensor {:?}", tensor.name()), &error)
        })?);
    }
    Ok(digests)
}

fn bytes_of(tensors: &[&StoredTensor]) -> u64 {
    let bytes = tensors.iter().map(|tensor| checkpoint::bytes_of(tensor.dtype(), tensor.sizes()));
    bytes.fold(0, u64::saturating_add)
}

fn of_checkpoint(
    path: &str, layouts: &Layouts, arguments: &DigestArguments, output: &mut Output, quiet: bool,
) -> Answer {
    let set = checkpoint::open(path)?;
    let tensors = checkpoint::chosen(&set, &arguments.tensors)?;
    let bar = progress::bar(bytes_of(&tensors), quiet).with_message("reading");
    let digests = digests((path, &set), &tensors, arguments.memory, &bar)?;
    bar.finish_and_clear();
    let mut values = Vec::new();
    for (tensor, digest) in tensors.iter().zip(digests) {
        let fingerprint = match layouts.of(tensor.name()) {
            None => None,
            Some(layout) => {
                let built = layout.build(tensor.sizes(), Some(tensor.dtype()));
                let built = built.map_err(|error| {
                    Failure::of(format!("tensor {:?}: {}", tensor.name(), layout), &error)
                })?;
                Some(units::hex(built.shards().fingerprint()))
            }
        };
        let layout = fingerprint.as_ref().map_or(String::new(), |own| format!("  layout {own}"));
        output.line(format!(
            "{}  {} {}  {}{layout}",
            units::hex(digest),
            tensor.dtype(),
            units::sizes(tensor.sizes()),
            units::printable(tensor.name())
        ));
        let mut value = checkpoint::json_of(tensor);
        if let Value::Object(keys) = &mut value {
            keys.insert("digest".to_owned(), units::hex(digest).into());
            keys.insert("layout_fingerprint".to_owned(), fingerprint.into());
        }
        values.push(value);
    }
    output.json(&json!({"path": path, "tensors": values}));
    Ok(true)
}

fn of_layout(layouts: &Layouts, arguments: &DigestArguments, output: &mut Output) -> Answer {
    let (layout, metadata) = layouts.of_shape(&arguments.shape)?;
    let fingerprint = units::hex(metadata.shards().fingerprint());
    output.line(format!("{fingerprint}  {}  {}", units::sizes(metadata.sizes()), layout));
    output.json(&json!({
        "sizes": metadata.sizes(),
        "layout": layout.json(),
        "layout_fingerprint": fingerprint,
    }));
    Ok(true)
}

/// One tensor of two checkpoints that differs.
struct Difference {
    name: String,
    kind: &'static str,
    text: String,
}

fn compare(
    path: &str, other: &str, arguments: &DigestArguments, output: &mut Output, quiet: bool,
) -> Answer {
    let (one, two) = (checkpoint::open(path)?, checkpoint::open(other)?);
    let mut differences = Vec::new();
    let mut pairs = Vec::new();
    for tensor in checkpoint::chosen(&one, &arguments.tensors)? {
        match two.find(tensor.name()).and_then(|number| two.tensors().get(number)) {
            None => differences.push(Difference {
                name: tensor.name().to_owned(),
                kind: "missing",
                text: format!("{other} does not have it"),
            }),
            Some(same) if (tensor.dtype(), tensor.sizes()) != (same.dtype(), same.sizes()) => {
                let of = |tensor: &StoredTensor| {
                    format!("{} {}", tensor.dtype(), units::sizes(tensor.sizes()))
                };
                differences.push(Difference {
                    name: tensor.name().to_owned(),
                    kind: "shape",
                    text: format!("it is {}, and {} in {other}", of(tensor), of(same)),
                });
            }
            Some(same) => pairs.push((tensor, same)),
        }
    }
    if arguments.tensors.is_empty() {
        for tensor in two.tensors().iter().filter(|tensor| one.find(tensor.name()).is_none()) {
            differences.push(Difference {
                name: tensor.name().to_owned(),
                kind: "missing",
                text: format!("{path} does not have it"),
            });
        }
    }
    let (ours, theirs): (Vec<_>, Vec<_>) = pairs.into_iter().unzip();
    let bytes = bytes_of(&ours).saturating_mul(2);
    let bar = progress::bar(bytes, quiet).with_message("reading");
    let digests_of_ours = digests((path, &one), &ours, arguments.memory, &bar)?;
    let digests_of_theirs = digests((other, &two), &theirs, arguments.memory, &bar)?;
    bar.finish_and_clear();
    let mut same = 0;
    for (tensor, (a, b)) in ours.iter().zip(digests_of_ours.into_iter().zip(digests_of_theirs)) {
        if a == b {
            same += 1;
            continue;
        }
        let text = format!("its digest is {}, and {} in {other}", units::hex(a), units::hex(b));
        differences.push(Difference { name: tensor.name().to_owned(), kind: "digest", text });
    }
    differences.sort_by(|a, b| a.name.cmp(&b.name));
    for Difference { name, text, .. } in &differences {
        output.line(format!("tensor {name:?}: {text}"));
    }
    let equal =
        format!("{} {} equal", units::count(same, "tensor"), if same == 1 { "is" } else { "are" });
    match differences.len() {
        0 => output.line(equal),
        1 => output.line(format!("{equal}, 1 differs or is missing")),
        more => output.line(format!("{equal}, {more} differ or are missing")),
    }
    let list: Vec<Value> = differences
        .iter()
        .map(|one| json!({"tensor": one.name, "kind": one.kind, "message": one.text}))
        .collect();
    output.json(&json!({
        "path": path,
        "other": other,
        "equal": differences.is_empty(),
        "equal_tensors": same,
        "differences": list,
    }));
    Ok(differences.is_empty())
}
