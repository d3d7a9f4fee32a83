//! Picture files as they come: each in `tests/bad` must be refused with a message that helps, each
//! in `tests/pictures` must look as a browser shows it.

use std::fs;
use std::path::{Path, PathBuf};

use lookalike::ErrorKind;
use lookalike::image::{Limits, Picture, decode};

fn folder(name: &str) -> Vec<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(name);
    let mut files: Vec<_> = fs::read_dir(path).unwrap().map(|e| e.unwrap().path()).collect();
    files.sort();
    assert!(files.len() > 5);
    files
}

#[test]
fn bad_pictures_are_refused_with_a_reason() {
    for path in folder("bad") {
        let error = decode(&fs::read(&path).unwrap(), &Limits::default())
            .expect_err(&format!("{} should be refused", path.display()));
        let expected = match path.file_name().unwrap().to_str().unwrap() {
            "thirty-thousand-square.png" => ErrorKind::TooLarge,
            "iphone.heic" | "movie.mp4" | "page-named.png" => ErrorKind::Unsupported,
            "cut-in-the-header.jpg" | "cut-short.png" => ErrorKind::CutOff,
            _ => ErrorKind::BadPicture,
        };
        assert!(error.kind() == expected, "{}: {error:?}", path.display());
        assert!(error.to_string().len() > 20, "{}: {error}", path.display());
    }
}

#[test]
fn no_prefix_of_a_picture_panics() {
    for path in folder("pictures") {
        let bytes = fs::read(&path).unwrap();
        for end in 0..bytes.len() {
            let _ = decode(&bytes[..end], &Limits::default());
        }
    }
}

fn pixel(picture: &Picture, x: u32, y: u32) -> [i32; 3] {
    let at = ((y * picture.width() + x) * 3) as usize;
    [0, 1, 2].map(|i| i32::from(picture.rgb()[at + i]))
}

fn near(found: [i32; 3], expected: [i32; 3]) -> bool {
    found.iter().zip(expected).all(|(a, b)| (a - b).abs() <= 40)
}

/// All are 40x20, red on the left and blue on the right, but for what their names say.
#[test]
fn unusual_pictures_look_as_a_browser_shows_them() {
    let (red, blue) = ([220, 20, 20], [20, 20, 220]);
    for path in folder("pictures") {
        let name = path.file_name().unwrap().to_str().unwrap();
        let picture = decode(&fs::read(&path).unwrap(), &Limits::default())
            .unwrap_or_else(|e| panic!("{name}: {e}"));
        if name == "exif-rotated.jpg" {
            // Orientation 6: to be turned by 90 degrees clockwise.
            assert_eq!((picture.width(), picture.height()), (20, 40));
            assert!(near(pixel(&picture, 10, 5), red) && near(pixel(&picture, 10, 35), blue));
            continue;
        }
        assert_eq!((picture.width(), picture.height()), (40, 20), "{name}");
        let (left, right) = (pixel(&picture, 8, 15), pixel(&picture, 32, 15));
        match name {
            "grey.jpg" => assert!(left[0] == left[1] && left[1] == left[2], "{left:?}"),
            _ => assert!(near(left, red) && near(right, blue), "{name}: {left:?} {right:?}"),
        }
        if name == "transparent.png" {
            assert_eq!(pixel(&picture, 8, 3), [255, 255, 255]);
        }
    }
}
