//! A server that is told to stop while its database neither answers nor goes away.

use private_postgres::{PrivatePostgres, Settings};

use crate::free_addr;
use crate::program::Folder;
use crate::proxy::{continue_postgres, stop_postgres};

#[tokio::test(flavor = "multi_thread")]
async fn it_stops_without_the_tasks_that_hang() {
    let (folder, elsewhere) = (Folder::new(), Folder::new());
    let settings = Settings {
        data_dir: elsewhere.path().join("data"),
        bin_dir: None,
        path_env: None,
        durable: false,
        max_connections: 60,
    };
    let postgres = PrivatePostgres::start(settings).await.unwrap();
    let mut server = tokio::task::block_in_place(|| {
        let mut server =
            folder.start_serving(&["--addr", &free_addr()], &[("DATABASE_URL", &postgres.url())]);
        server.wait_until_ready();
        server
    });
    stop_postgres(&elsewhere);
    // Last uses of keys and expired sessions are written at the end, and there is nobody to write them to.
    let code = tokio::task::block_in_place(|| server.stop());
    assert_eq!(code, Some(0), "{}", server.log());
    continue_postgres(&elsewhere);
    postgres.stop().await.unwrap();
}
