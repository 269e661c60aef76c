//! MediaMTX from its image, for machines with Docker and without MediaMTX.

use std::path::Path;
use std::time::Duration;

use testcontainers::core::WaitFor;
use testcontainers::runners::AsyncRunner as _;
use testcontainers::{GenericImage, ImageExt as _};

const IMAGE: (&str, &str) = ("bluenviron/mediamtx", "1.20.1");

/// Writes the program to `binary`. It is static, so it runs outside its image, where hooks can run other programs.
pub async fn mediamtx_from_image(binary: &Path) -> Result<(), String> {
    let taken = async {
        let image = GenericImage::new(IMAGE.0, IMAGE.1)
            .with_wait_for(WaitFor::Nothing)
            .with_startup_timeout(Duration::from_secs(120));
        let container = image.start().await?;
        container.copy_file_from("/mediamtx", binary).await?;
        container.rm().await
    };
    let taken: Result<(), testcontainers::TestcontainersError> = taken.await;
    taken.map_err(|error| error.to_string())
}
