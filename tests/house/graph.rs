//! Which file of the crate uses which.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::source::{Mention, Source, files_below};

/// The files of the crate, without those that are tests only, and who uses whom.
pub struct Crate {
    pub files: BTreeMap<String, Source>,
    /// The module of each file, as `geometry::rtree`.
    modules: BTreeMap<Vec<String>, String>,
    /// For each file, the files that it uses and the first line that says so.
    pub uses: BTreeMap<String, BTreeMap<String, usize>>,
}

impl Crate {
    /// Reads the crate below a folder.
    pub fn read(root: &Path) -> Self {
        let mut files = BTreeMap::new();
        let mut modules = BTreeMap::new();
        for path in files_below(root) {
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/");
            modules.insert(module_of(&name), name.clone());
            files.insert(name, Source::read(&path));
        }
        let mut all = Self { files, modules, uses: BTreeMap::new() };
        all.drop_tests();
        all.find_uses();
        all
    }

    /// Leaves out the files of modules that are tests only.
    fn drop_tests(&mut self) {
        let tests: Vec<Vec<String>> = self
            .files
            .iter()
            .flat_map(|(name, source)| {
                source.test_modules.iter().map(move |test| (name, test.clone()))
            })
            .map(|(name, test)| module_of(name).into_iter().chain([test]).collect())
            .collect();
        let is_test = |module: &Vec<String>| tests.iter().any(|test| module.starts_with(test));
        self.files.retain(|name, _| !is_test(&module_of(name)));
        self.modules.retain(|module, _| !is_test(module));
    }

    fn find_uses(&mut self) {
        let mut uses: BTreeMap<String, BTreeMap<String, usize>> = BTreeMap::new();
        for (file, source) in &self.files {
            let found = uses.entry(file.clone()).or_default();
            for mention in source.mentions.iter().filter(|mention| is_used(source, mention)) {
                let Some(path) = self.absolute(file, mention) else { continue };
                let Some(used) = self.file_of(&path, 0) else { continue };
                if used != *file {
                    found.entry(used).or_insert(mention.line);
                }
            }
        }
        self.uses = uses;
    }

    /// A mentioned path from the crate's root on; `None` for what is not the crate's.
    fn absolute(&self, file: &str, mention: &Mention) -> Option<Vec<String>> {
        let own = module_of(file);
        let mut here: Vec<String> = own.iter().chain(&mention.inside).cloned().collect();
        let mut segments = mention.segments.as_slice();
        match segments.first()?.as_str() {
            "crate" => here.clear(),
            "self" => {}
            "super" => {
                while segments.get(1).is_some_and(|next| next == "super") {
                    here.pop();
                    segments = &segments[1..];
                }
                here.pop();
            }
            child => {
                let module: Vec<_> = own.iter().cloned().chain([child.to_owned()]).collect();
                return self.modules.contains_key(&module).then(|| {
                    let rest = segments[1..].iter().cloned();
                    module.into_iter().chain(rest).collect()
                });
            }
        }
        here.extend_from_slice(&segments[1..]);
        Some(here)
    }

    /// The file that defines what a path names: modules as far as they go, and then what the file
    /// hands on under that name.
    fn file_of(&self, path: &[String], depth: usize) -> Option<String> {
        let known = (0..=path.len()).rev().find(|end| self.modules.contains_key(&path[..*end]))?;
        let file = self.modules.get(&path[..known])?;
        let Some(item) = path.get(known) else { return Some(file.clone()) };
        let imported = self.files[file].mentions.iter().find(|mention| {
            mention.inside.is_empty() && mention.name.as_ref() == Some(item) && depth < 8
        });
        let behind = imported.and_then(|mention| {
            let target = self.absolute(file, mention)?;
            self.file_of(&target, depth + 1)
        });
        Some(behind.unwrap_or_else(|| file.clone()))
    }

    /// The circles of files: each a set in which every file uses every other, over some others.
    pub fn circles(&self) -> Vec<BTreeSet<String>> {
        let reach: BTreeMap<&String, BTreeSet<&String>> =
            self.files.keys().map(|file| (file, self.reached_from(file))).collect();
        let mut circles = BTreeSet::new();
        for (file, reached) in &reach {
            if reached.contains(file) {
                let circle: BTreeSet<String> = reached
                    .iter()
                    .filter(|other| reach[**other].contains(file))
                    .map(|other| (*other).clone())
                    .collect();
                circles.insert(circle);
            }
        }
        circles.into_iter().collect()
    }

    /// What a file uses, in one step or more, inside of its top folder.
    fn reached_from(&self, file: &str) -> BTreeSet<&String> {
        let mut reached = BTreeSet::new();
        let mut open = vec![file];
        while let Some(next) = open.pop() {
            for used in self.uses[next].keys() {
                if top(used) == top(file) && reached.insert(used) {
                    open.push(used);
                }
            }
        }
        reached
    }
}

/// Whether a file needs what it mentions itself: what it only hands on is no use of it.
fn is_used(source: &Source, mention: &Mention) -> bool {
    let name = mention.name.as_ref();
    !mention.is_public || name.is_some_and(|name| source.words.contains(name))
}

/// The top folder or file that a file belongs to.
pub fn top(file: &str) -> &str {
    file.split('/').next().unwrap().trim_end_matches(".rs")
}

/// The module that a file is.
fn module_of(file: &str) -> Vec<String> {
    let path = file.trim_end_matches(".rs");
    let path = path.strip_suffix("/mod").unwrap_or(path);
    if path == "lib" { Vec::new() } else { path.split('/').map(str::to_owned).collect() }
}
