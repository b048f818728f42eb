//! The tensors of a checkpoint, the files that hold them, and what a layout gives to whom.

use serde_json::{Map, Value, json};
use shardspec::files::{FileSet, StoredFile, StoredTensor};
use shardspec::model::ShardedTensorMetadata;

use super::OwnerBytes;
use crate::Answer;
use crate::arguments::ShowArguments;
use crate::checkpoint;
use crate::failure::Failure;
use crate::layout::Layouts;
use crate::output::Output;
use crate::picture::{self, Subject};
use crate::table::{Align, Table};
use crate::units;

/// Files of a tensor that its row names.
const MAX_FILES: usize = 1;

pub fn run(path: &str, arguments: &ShowArguments, output: &mut Output) -> Answer {
    let layouts = Layouts::new(&arguments.layout)?;
    let set = checkpoint::open(path)?;
    let tensors = checkpoint::chosen(&set, &arguments.tensors)?;
    let mut owners = OwnerBytes::default();
    let mut built = Vec::new();
    for tensor in &tensors {
        let metadata = match layouts.of(tensor.name()) {
            None => None,
            Some(layout) => {
                let metadata = layout.build(tensor.sizes(), Some(tensor.dtype()));
                Some(metadata.map_err(|error| {
                    Failure::of(format!("tensor {:?}: {layout}", tensor.name()), &error)
                })?)
            }
        };
        metadata.iter().for_each(|metadata| owners.add(metadata));
        if arguments.drawing.svg.is_some() {
            if tensors.len() != 1 {
                return Err(Failure::usage("--svg is for one tensor; choose it with --tensor"));
            }
            picture::write(subject(tensor, metadata.as_ref()), &arguments.drawing, output)?;
        }
        if arguments.picture {
            built.push(metadata);
        }
    }
    if output.is_json() {
        output.json(&json_of(path, &set, &tensors, &layouts, &owners));
        return Ok(true);
    }
    output.line(title(path, &set, &tensors));
    output.line("");
    table(&set, &tensors, &layouts).lines().iter().for_each(|line| output.line(line));
    if arguments.all {
        chunks(&set, &tensors, output);
    }
    if arguments.files {
        files(&set, output);
    }
    for (tensor, metadata) in tensors.iter().zip(&built) {
        output.line("");
        output.line(units::printable(tensor.name()));
        picture::print(subject(tensor, metadata.as_ref()), &arguments.drawing, output)?;
    }
    if !layouts.is_empty() {
        output.line("");
        owners.print(output, arguments.all);
    }
    let missing = set.absent().len() + set.missing_files().len();
    if missing > 0 {
        output.line("");
        output.line(format!(
            "the checkpoint lacks files or tensors; `shardspec check {path}` lists them"
        ));
    }
    Ok(true)
}

/// What is drawn of a tensor: its layout, or the chunks in the files.
fn subject<'a>(
    tensor: &'a StoredTensor, metadata: Option<&'a ShardedTensorMetadata>,
) -> Subject<'a> {
    match metadata {
        Some(metadata) => Subject::Layout(metadata),
        None => Subject::Shards(tensor.chunks(), tensor.sizes()),
    }
}

/// What there is, in one line.
fn title(path: &str, set: &FileSet, tensors: &[&StoredTensor]) -> String {
    let bytes = tensors
        .iter()
        .map(|tensor| checkpoint::bytes_of(tensor.dtype(), tensor.sizes()))
        .fold(0u64, u64::saturating_add);
    let all = set.tensors().len();
    let of = if all == tensors.len() { String::new() } else { format!(" of {all}") };
    format!(
        "{path}: {}{of} in {}, {}",
        units::count(tensors.len(), "tensor"),
        units::count(set.files().len(), "file"),
        units::bytes(bytes)
    )
}

/// A row for each tensor.
fn table(set: &FileSet, tensors: &[&StoredTensor], layouts: &Layouts) -> Table {
    let mut columns = vec![
        ("tensor", Align::Left),
        ("dtype", Align::Left),
        ("sizes", Align::Left),
        ("bytes", Align::Right),
        ("files", Align::Left),
    ];
    if !layouts.is_empty() {
        columns.push(("layout", Align::Left));
    }
    let mut table = Table::new(&columns);
    for tensor in tensors {
        let mut row = vec![
            tensor.name().to_owned(),
            tensor.dtype().to_string(),
            units::sizes(tensor.sizes()),
            units::bytes(checkpoint::bytes_of(tensor.dtype(), tensor.sizes())),
            files_of(set, tensor),
        ];
        if !layouts.is_empty() {
            let layout = layouts.of(tensor.name());
            row.push(layout.map_or("whole".to_owned(), |layout| layout.to_string()));
        }
        table.push(row);
    }
    table
}

/// The files that have chunks of a tensor.
fn files_of(set: &FileSet, tensor: &StoredTensor) -> String {
    let mut files: Vec<u32> = (0..tensor.chunks().len())
        .filter_map(|chunk| tensor.place(chunk).map(|place| place.file))
        .collect();
    files.sort_unstable();
    files.dedup();
    let names = files.iter().filter_map(|file| set.files().get(*file as usize));
    let shown: Vec<&str> = names.take(MAX_FILES).map(StoredFile::name).collect();
    let more = files.len().saturating_sub(shown.len());
    let more =
        if more > 0 { format!(" and {}", units::count(more, "other")) } else { String::new() };
    format!("{}{more}", shown.join(", "))
}

/// Every chunk of the tensors, with its place.
fn chunks(set: &FileSet, tensors: &[&StoredTensor], output: &mut Output) {
    let columns = [
        ("tensor", Align::Left),
        ("chunk", Align::Right),
        ("elements", Align::Left),
        ("bytes", Align::Right),
        ("file", Align::Left),
        ("at byte", Align::Right),
    ];
    let mut table = Table::new(&columns);
    for tensor in tensors {
        for (number, chunk) in tensor.chunks().iter().enumerate() {
            let Some(place) = tensor.place(number) else { continue };
            let file = set.files().get(place.file as usize).map_or("", StoredFile::name);
            table.push(vec![
                tensor.name().to_owned(),
                number.to_string(),
                super::ranges::elements_of(chunk),
                units::bytes(checkpoint::bytes_of(tensor.dtype(), chunk.sizes)),
                file.to_owned(),
                place.first_byte.to_string(),
            ]);
        }
    }
    output.line("");
    table.lines().iter().for_each(|line| output.line(line));
}

/// Every file, and the texts that it has besides tensors.
fn files(set: &FileSet, output: &mut Output) {
    let mut table = Table::new(&[("file", Align::Left), ("bytes", Align::Right)]);
    for file in set.files() {
        table.push(vec![file.name().to_owned(), units::bytes(file.length())]);
    }
    output.line("");
    table.lines().iter().for_each(|line| output.line(line));
    for file in set.files() {
        for (name, text) in file.texts() {
            let (file, name) = (units::printable(file.name()), units::printable(name));
            output.line(format!("{file}: {name} = {}", shortened(text)));
        }
    }
}

/// The start of a text, on one line.
fn shortened(text: &str) -> String {
    const MOST: usize = 100;
    let line: String =
        text.chars().take(MOST).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().nth(MOST).is_some() { format!("{line}…") } else { line }
}

fn json_of(
    path: &str, set: &FileSet, tensors: &[&StoredTensor], layouts: &Layouts, owners: &OwnerBytes,
) -> Value {
    let file_name = |number: u32| set.files().get(number as usize).map_or("", StoredFile::name);
    let tensors: Vec<Value> = tensors
        .iter()
        .map(|tensor| {
            let chunks: Vec<Value> = tensor
                .chunks()
                .boxes()
                .iter()
                .enumerate()
                .filter_map(|(number, chunk)| {
                    let place = tensor.place(number)?;
                    Some(json!({
                        "offsets": chunk.offsets,
                        "sizes": chunk.sizes,
                        "strides": tensor.strides(number),
                        "file": file_name(place.file),
                        "first_byte": place.first_byte,
                    }))
                })
                .collect();
            let mut value = checkpoint::json_of(tensor);
            if let Value::Object(keys) = &mut value {
                keys.insert("chunks".to_owned(), chunks.into());
                keys.insert("sizes_are_inferred".to_owned(), tensor.are_sizes_inferred().into());
                let layout = layouts.of(tensor.name()).map(|layout| layout.json());
                keys.insert("layout".to_owned(), layout.into());
            }
            value
        })
        .collect();
    let files: Vec<Value> = set
        .files()
        .iter()
        .map(|file| {
            let texts: Map<String, Value> =
                file.texts().map(|(name, text)| (name.to_owned(), text.into())).collect();
            json!({"name": file.name(), "bytes": file.length(), "texts": texts})
        })
        .collect();
    let absent: Vec<Value> =
        set.absent().iter().map(|one| json!({"name": one.name, "file": one.file})).collect();
    json!({
        "path": path,
        "tensors": tensors,
        "files": files,
        "absent_tensors": absent,
        "missing_files": set.missing_files(),
        "owners": owners.json(),
    })
}
