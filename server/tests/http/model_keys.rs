//! The keys of models among the other secrets.

use std::convert::Infallible;
use std::sync::Mutex;

use storage::integrations::SecretOf;

use crate::model_stand_in::{ModelStandIn, Say};
use crate::models::{asking_app, set_up};

#[tokio::test(flavor = "multi_thread")]
async fn they_are_sealed_anew_with_the_others() {
    let stand_in = ModelStandIn::saying(vec![Say::text("Hello")]).await;
    let app = asking_app().await;
    set_up(&app, "anthropic", &stand_in, None).await;
    for before in [None, Some(b"sealed anew".to_vec())] {
        let sealed = Mutex::new(Vec::new());
        let resealed = storage::integrations::reseal(
            &app.state.db,
            |stored| {
                sealed
                    .lock()
                    .unwrap()
                    .push((stored.of.clone(), stored.sealed.clone()));
                Ok::<_, Infallible>(b"sealed anew".to_vec())
            },
            "test",
            server::clock::now(),
        )
        .await
        .unwrap();
        assert_eq!(resealed, Ok(1));
        let (of, found) = sealed.into_inner().unwrap().remove(0);
        assert_eq!(of, SecretOf::ModelProvider("p1".to_owned()));
        assert!(before.is_none_or(|before| before == found));
    }
}
