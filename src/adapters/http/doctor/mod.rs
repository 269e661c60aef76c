//! `/doctor` and `/configuration`: whether the installation works, and how it is configured.

use std::sync::Arc;

use super::handler::{Admin, Answer, Call, Operator, Routes, ok, routes};
use crate::adapters::views::{ConfigurationView, ExaminationView};
use crate::app::doctor::Doctor;

/// The routes.
pub fn routes() -> Routes<Arc<Doctor>> {
    Routes::new("doctor")
        .about("Whether the installation works, and how it is configured.")
        .management(Operator, "doctor", routes!(read_doctor))
        .management(Admin, "configuration", routes!(read_configuration))
}

/// Check the installation
///
/// The checks of `streamward doctor`, made by this instance, with what to do about each fault. They take a few seconds at most,
/// and run once however many ask.
#[utoipa::path(get, path = "/doctor", responses((status = 200, body = ExaminationView)))]
async fn read_doctor(Call(doctor, actor): Call<Doctor>) -> Answer<ExaminationView> {
    ok(&*doctor.examine(&actor).await?)
}

/// Read the configuration
///
/// As it takes effect in this instance, as `streamward config` shows it, secrets masked.
#[utoipa::path(get, path = "/configuration", responses((status = 200, body = ConfigurationView)))]
async fn read_configuration(Call(doctor, actor): Call<Doctor>) -> Answer<ConfigurationView> {
    ok(doctor.configuration(&actor)?)
}
