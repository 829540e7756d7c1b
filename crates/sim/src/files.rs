// SPDX-License-Identifier: GPL-2.0-only
//! Files and directories of scenarios.

use std::{
    fs::{self, File},
    io::Read,
    path::Path,
    sync::Arc,
};

use scenario::{MAX_BYTES, Scenario, Source};

use crate::{
    code::{Code, Stop},
    out::Out,
};

/// A scenario and where it is from.
#[derive(Debug)]
pub(crate) struct Loaded {
    /// The path of its file.
    pub(crate) path: String,
    /// The path below the directory that was given, without `.json`.
    pub(crate) name: String,
    pub(crate) scenario: Arc<Scenario>,
}

/// A file to read, and what to call the scenario in it.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) path: String,
    pub(crate) name: String,
}

/// The scenarios at these paths: files as they are, directories with everything in them that ends in `.json`, in
/// order of their names.
pub(crate) fn find(paths: &[String]) -> Result<Vec<Found>, Stop> {
    let mut found = Vec::new();
    for path in paths {
        let metadata = fs::metadata(path).map_err(|error| Stop::file(path, &error))?;
        if !metadata.is_dir() {
            found.push(Found { path: path.clone(), name: name(path, "") });
            continue;
        }
        let before = found.len();
        walk(path, path, &mut found, 0)?;
        if found.len() == before {
            return Err(Stop::usage(format_args!("{path}: there are no scenarios in this directory")));
        }
    }
    Ok(found)
}

/// Directories in directories in directories are no collection of scenarios.
const MAX_DEPTH: usize = 16;

fn walk(root: &str, directory: &str, found: &mut Vec<Found>, depth: usize) -> Result<(), Stop> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(directory).map_err(|error| Stop::file(directory, &error))? {
        let entry = entry.map_err(|error| Stop::file(directory, &error))?;
        let kind = entry.file_type().map_err(|error| Stop::file(directory, &error))?;
        let path = entry.path().into_os_string().into_string().map_err(|path| {
            let why = format!("{}: the name is not UTF-8", path.to_string_lossy());
            Stop::Because(Code::Io, why)
        })?;
        paths.push((path, kind.is_dir()));
    }
    paths.sort();
    for (path, is_dir) in paths {
        if is_dir && depth < MAX_DEPTH {
            walk(root, &path, found, depth + 1)?;
        } else if !is_dir && path.ends_with(".json") {
            let name = name(&path, root);
            found.push(Found { path, name });
        }
    }
    Ok(())
}

fn name(path: &str, root: &str) -> String {
    let below =
        if root.is_empty() { Path::new(path).file_name().and_then(|name| name.to_str()) } else { None };
    let below = below.or_else(|| Path::new(path).strip_prefix(root).ok()?.to_str()).unwrap_or(path);
    below.strip_suffix(".json").unwrap_or(below).to_owned()
}

/// Reads scenarios; what is wrong with them goes to stderr.
pub(crate) fn load(found: &Found, out: &mut Out) -> Result<Result<Loaded, Code>, Stop> {
    let path = &found.path;
    let bytes = match read(path) {
        Ok(bytes) => bytes,
        Err(Stop::Because(code, message)) => {
            out.error(&message)?;
            return Ok(Err(code));
        }
        Err(stop) => return Err(stop),
    };
    let source = match Source::from_bytes(path, bytes) {
        Ok(source) => source,
        Err(error) => {
            out.diagnostic(&error, &Source { name: path.clone(), text: String::new() })?;
            return Ok(Err(Code::Usage));
        }
    };
    match scenario::read(&source) {
        Ok(scenario) => {
            Ok(Ok(Loaded { path: path.clone(), name: found.name.clone(), scenario: Arc::new(scenario) }))
        }
        Err(errors) => {
            for error in &errors {
                out.diagnostic(error, &source)?;
            }
            Ok(Err(Code::Usage))
        }
    }
}

/// The content of a file that is not too large to be a scenario. No more of it is read than that.
fn read(path: &str) -> Result<Vec<u8>, Stop> {
    let error = |error| Stop::file(path, &error);
    let file = File::open(path).map_err(error)?;
    let length = file.metadata().map_err(error)?.len();
    let too_large = |length: u64| {
        let why = format!("{path}:1:1: the file has {length} bytes; a scenario has at most {MAX_BYTES}");
        Stop::Because(Code::Usage, why)
    };
    if length > MAX_BYTES as u64 {
        return Err(too_large(length));
    }
    let mut bytes = Vec::new();
    // The length of a pipe or a device is not known before.
    file.take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(error)?;
    if bytes.len() > MAX_BYTES {
        return Err(too_large(bytes.len() as u64));
    }
    Ok(bytes)
}
