//! Texts of `--help`: what a command is for, and examples to start from.

pub const ALL: &str = "\
Start here:
  shardspec show model.safetensors              the tensors of a checkpoint
  shardspec show --sizes 8,8 --layout 'tp=4: S(0)'   who owns what
  shardspec check checkpoint/                   what is wrong with it
  shardspec COMMAND --help                      examples of each command

Exit codes: 0 fine; 1 the answer is no; 2 wrong arguments; 3 a file can't be read or
written, or lacks something; 4 not supported, or too little memory.";

/// How layouts are written: a part of several texts.
macro_rules! layouts {
    () => {
        "
Layouts:
  'tp=4: S(0)'                  a mesh and a text in a notation
  --mesh dp=2,tp=4 -l 'RS(1)'   the same, with the mesh in an option of its own
  'RS(1)' 'Shard(dim=0)'        DTensor          \"P('dp', 'tp')\"              JAX
  '{devices=[2,1]<=[2]}'        XLA              'sharding<@mesh, [{\"tp\"}]>'   Shardy
  dtensor:TEXT jax:TEXT xla:TEXT shardy:TEXT scalapack:NINE,NUMBERS   if a text is ambiguous
  'dim 0 over tp by balanced; pad dim 0 to a multiple of 8'   words, as `show` prints them
  fsdp=8 hsdp=2x4 tp:column=4 tp:row=4 replicated=2 whole     names, each with a mesh of its own
  '*.bias -> replicated=4'      for tensors whose names match; the first that matches decides
  @layouts.txt                  a file with one of these in each line; # begins a comment
  @layout.json                  a document of a spec or of metadata, as the library writes it"
    };
}

pub const ABOUT_SHOW: &str = "\
List the tensors of a checkpoint, with the files that hold them; or draw a layout.

A checkpoint is a safetensors file, a directory of such files with or without an index, a
distributed checkpoint of torch (.metadata or safetensors), or a .npy file. Only the
headers of the files are read.

With a layout, `show` lists what each owner has. Without a checkpoint, give the sizes. A
document of a layout, as programs write it, is shown like a layout.";

pub const SHOW: &str = concat!(
    "\
Examples:
  shardspec show model.safetensors
  shardspec show checkpoint/ --tensor '*.weight' --files
  shardspec show --sizes 8,8 --layout 'dp=2,tp=2: S(0)S(1)'
  shardspec show checkpoint/ --layout fsdp=8
  shardspec show layout.json                   a layout that a program wrote
  shardspec show checkpoint/ --json | jq '.tensors[].name'
",
    layouts!()
);

pub const ABOUT_CHECK: &str = "\
Say all that is wrong with a checkpoint: files that an index names and that are missing,
elements that no file holds, chunks that contradict each other, files that were cut off.

With a layout, also say whether the checkpoint can be read into it. With --degrees or
--length, say which degrees of parallelism are legal, and why the others are not.

The exit code is 0 if nothing is wrong, 1 if something is, and 3 if the checkpoint can't
be opened. With --degrees and --length it is 1 if no degree but 1 is legal.";

pub const CHECK: &str = concat!(
    "\
Examples:
  shardspec check checkpoint/
  shardspec check checkpoint/ --layout @layouts.txt
  shardspec check model.safetensors --layout 'tp=2: S(0)' --degrees tp --max-degree 16
  shardspec check --length heads=32 --length kv_heads=8:repeat --length hidden=4096:granule=128
",
    layouts!()
);

pub const ABOUT_PLAN: &str = "\
Say what moves between two layouts: bytes and messages from each owner to each other, as
a matrix. Nothing is moved.

Bytes that stay with their owner are counted apart. All tensors between two owners are
one message. Without --from, the source is the files of a checkpoint. Two documents of
layouts, as programs write them, are the source and the destination.";

pub const PLAN: &str = concat!(
    "\
Examples:
  shardspec plan --sizes 4096,4096 --dtype bfloat16 --from 'tp=4: S(0)' --to 'tp=2: S(0)'
  shardspec plan --sizes 8,8 --mesh dp=2,tp=2 --from 'RS(0)' --to 'S(0)R'
  shardspec plan checkpoint/ --to fsdp=8
  shardspec plan checkpoint/ --from fsdp=8 --to @layouts.txt --json
  shardspec plan before.json after.json
",
    layouts!()
);

pub const ABOUT_CONVERT: &str = "\
Read a checkpoint and write it anew as safetensors files, each owner's shards in files of
their own. A tensor without a layout is written whole.

The new files appear at once when all of them are complete: a run that is killed leaves
nothing at the destination, or what was there before. What it has written is kept in
DESTINATION.saving, and the same command continues there. If the source has changed since
then, or another layout is asked for, the command says that it starts again.";

pub const CONVERT: &str = concat!(
    "\
Examples:
  shardspec convert checkpoint/ sharded/ --layout fsdp=8
  shardspec convert sharded/ whole/ --one-file
  shardspec convert model.safetensors tp4/ --layout @layouts.txt --replace
  shardspec digest checkpoint/ sharded/             proves that nothing was lost
",
    layouts!()
);

pub const ABOUT_DIGEST: &str = "\
Print the CRC-64/NVME of each tensor's bytes in row-major order. It does not depend on how
the tensor is stored: a checkpoint on 4 ranks and the same on 8 have equal digests.

With two checkpoints, say which tensors differ. With a layout, print its fingerprint,
which is equal if the elements, their order and the placement of each shard are.";

pub const DIGEST: &str = concat!(
    "\
Examples:
  shardspec digest model.safetensors
  shardspec digest before/ after/
  shardspec digest checkpoint/ --tensor 'layers.0.*' --json
  shardspec digest --sizes 8,8 --layout 'tp=4: S(0)'
",
    layouts!()
);

pub const COMPLETIONS: &str = "\
Examples:
  shardspec completions bash > ~/.local/share/bash-completion/completions/shardspec
  shardspec completions zsh > \"${fpath[1]}/_shardspec\"
  shardspec completions fish > ~/.config/fish/completions/shardspec.fish";
