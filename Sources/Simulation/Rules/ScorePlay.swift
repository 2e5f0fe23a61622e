import EnsembleModel

/// Promotes whoever's gain on the whole validation set is more than some standard errors above zero, and shows the
/// gain.
struct ScorePlay: RulePlay {
    let errors: Double

    func judge(_ trial: Trial) -> Ruling {
        let gain = trial.gain()
        return Ruling(isPromoted: gain.mean - errors * (gain.standardError ?? 0) > 0, score: gain.mean)
    }
}
