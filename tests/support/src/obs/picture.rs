//! Screenshots of the fake OBS: bitmaps of one grey.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// A bitmap of 24 bits a pixel whose pixels all have this brightness, as a data URL.
pub(super) fn grey(width: u32, height: u32, brightness: f32) -> String {
    let row = usize::try_from(width * 3).unwrap_or_default().next_multiple_of(4);
    let size = u32::try_from(row).unwrap_or_default() * height;
    let mut bitmap = b"BM".to_vec();
    for number in [54 + size, 0, 54, 40, width, height] {
        bitmap.extend(number.to_le_bytes());
    }
    bitmap.extend([1, 0, 24, 0]);
    for number in [0, size, 2835, 2835, 0, 0] {
        bitmap.extend(number.to_le_bytes());
    }
    let shade = (brightness.clamp(0.0, 1.0) * 255.0).round() as u8;
    bitmap.resize(bitmap.len() + usize::try_from(size).unwrap_or_default(), shade);
    format!("data:image/bmp;base64,{}", STANDARD.encode(bitmap))
}
