//! What signs in these tests: keys that are the same in each run, of both kinds.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use auditkeep_archive::signer::{SignError, Signer};
use auditkeep_core::integrity::key::VerifyingKey;
use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};

use crate::building::key;

type Sign = dyn Fn(&[u8]) -> Vec<u8> + Send + Sync;

#[derive(Clone)]
pub struct Pen {
    pub public: VerifyingKey,
    sign: Arc<Sign>,
}

impl Pen {
    pub fn ed25519(seed: u8) -> Self {
        let key = Arc::new(key(seed));
        Self { public: key.public().clone(), sign: Arc::new(move |message| key.sign(message)) }
    }

    /// The key of RFC 6979 A.2.5.
    pub fn ecdsa() -> Self {
        let hex = |text: &str| hex::decode(text).unwrap();
        let private = hex("c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721");
        let x = hex("60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6");
        let y = hex("7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299");
        let point = [vec![4], x, y].concat();
        let pair =
            EcdsaKeyPair::from_private_key_and_public_key(&ECDSA_P256_SHA256_ASN1_SIGNING, &private, &point);
        let pair = Arc::new(pair.unwrap());
        let public =
            VerifyingKey::from_spki("service", pair.public_key().as_der().unwrap().as_ref()).unwrap();
        let sign = move |message: &[u8]| pair.sign(&SystemRandom::new(), message).unwrap().as_ref().to_vec();
        Self { public, sign: Arc::new(sign) }
    }

    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        (self.sign)(message)
    }
}

impl fmt::Debug for Pen {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Pen({})", self.public)
    }
}

#[async_trait]
impl Signer for Pen {
    fn public(&self) -> &VerifyingKey {
        &self.public
    }

    async fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        Ok(Self::sign(self, message))
    }
}
