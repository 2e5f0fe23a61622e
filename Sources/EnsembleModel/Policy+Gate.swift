extension Policy {
    /// The test that a challenger must pass on sealed rows.
    ///
    /// Admission needs m / se >= the 1 - alpha / tests quantile of Student's t, and m >= minimum gain x champion's
    /// loss.
    public struct Gate: Hashable, Sendable, Codable {
        /// Probability of one or more false promotions in an epoch, at most; spent in equal parts by its tests.
        public var alpha: Double
        /// Tests in an epoch, at most.
        public var testsPerEpoch: Int
        /// Smallest mean gain, as a share of the champion's log-loss.
        public var minimumGain: Double
        /// Tests that one submitter may spend in an epoch; nil for no limit of their own.
        public var testsPerSubmitter: Int?

        /// Creates the switches.
        public init(
            alpha: Double = 0.1, testsPerEpoch: Int = 100, minimumGain: Double = 0.005, testsPerSubmitter: Int? = nil
        ) {
            self.alpha = alpha
            self.testsPerEpoch = testsPerEpoch
            self.minimumGain = minimumGain
            self.testsPerSubmitter = testsPerSubmitter
        }

        /// The error probability that one test spends.
        public var alphaPerTest: Double { alpha / Double(testsPerEpoch) }

        enum CodingKeys: String, CodingKey, CaseIterable {
            case alpha
            case testsPerEpoch = "tests_per_epoch"
            case minimumGain = "minimum_gain"
            case testsPerSubmitter = "tests_per_submitter"
        }

        /// Decodes the switches; those left out take their defaults, unknown ones are refused.
        public init(from decoder: any Decoder) throws {
            let values = try SwitchReader(decoder, CodingKeys.self, of: "gate")
            let defaults = Gate()
            alpha = try values.read(.alpha, defaults.alpha)
            testsPerEpoch = try values.read(.testsPerEpoch, defaults.testsPerEpoch)
            minimumGain = try values.read(.minimumGain, defaults.minimumGain)
            testsPerSubmitter = try values.readOptional(.testsPerSubmitter)
        }

        func validate() throws(EnsembleModelError) {
            try Policy.check("gate.alpha", alpha, in: 1e-6...0.5)
            try Policy.check("gate.tests_per_epoch", testsPerEpoch, in: 1...100_000)
            try Policy.check("gate.minimum_gain", minimumGain, in: 0...1)
            try Policy.check("gate.tests_per_submitter", testsPerSubmitter ?? 1, in: 1...100_000)
        }
    }

    /// What an admission must not make worse, on sealed rows.
    public struct Guardrails: Hashable, Sendable, Codable {
        /// Most relative rise of a slice's log-loss, when it is also significant.
        public var sliceLoss: Double
        /// Error probability of all slices' tests together.
        public var sliceAlpha: Double
        /// Largest z of a rise of the Brier score.
        public var brierZ: Double
        /// Most rise of the expected calibration error ...
        public var calibrationIncrease: Double
        /// ... once it is above this.
        public var calibrationLimit: Double
        /// Most fall of the macro-F1.
        public var macroF1Drop: Double
        /// Population stability index of the predicted classes' shares that is too large.
        public var populationStability: Double

        /// Creates the switches.
        public init(
            sliceLoss: Double = 0.01, sliceAlpha: Double = 0.05, brierZ: Double = 1.645,
            calibrationIncrease: Double = 0.02, calibrationLimit: Double = 0.05, macroF1Drop: Double = 0.01,
            populationStability: Double = 0.2
        ) {
            self.sliceLoss = sliceLoss
            self.sliceAlpha = sliceAlpha
            self.brierZ = brierZ
            self.calibrationIncrease = calibrationIncrease
            self.calibrationLimit = calibrationLimit
            self.macroF1Drop = macroF1Drop
            self.populationStability = populationStability
        }

        enum CodingKeys: String, CodingKey, CaseIterable {
            case sliceLoss = "slice_loss"
            case sliceAlpha = "slice_alpha"
            case brierZ = "brier_z"
            case calibrationIncrease = "calibration_increase"
            case calibrationLimit = "calibration_limit"
            case macroF1Drop = "macro_f1_drop"
            case populationStability = "population_stability"
        }

        /// Decodes the switches; those left out take their defaults, unknown ones are refused.
        public init(from decoder: any Decoder) throws {
            let values = try SwitchReader(decoder, CodingKeys.self, of: "guardrails")
            let defaults = Guardrails()
            sliceLoss = try values.read(.sliceLoss, defaults.sliceLoss)
            sliceAlpha = try values.read(.sliceAlpha, defaults.sliceAlpha)
            brierZ = try values.read(.brierZ, defaults.brierZ)
            calibrationIncrease = try values.read(.calibrationIncrease, defaults.calibrationIncrease)
            calibrationLimit = try values.read(.calibrationLimit, defaults.calibrationLimit)
            macroF1Drop = try values.read(.macroF1Drop, defaults.macroF1Drop)
            populationStability = try values.read(.populationStability, defaults.populationStability)
        }

        func validate() throws(EnsembleModelError) {
            try Policy.check("guardrails.slice_loss", sliceLoss, in: 0...10)
            try Policy.check("guardrails.slice_alpha", sliceAlpha, in: 1e-6...0.5)
            try Policy.check("guardrails.brier_z", brierZ, in: 0...10)
            try Policy.check("guardrails.calibration_increase", calibrationIncrease, in: 0...1)
            try Policy.check("guardrails.calibration_limit", calibrationLimit, in: 0...1)
            try Policy.check("guardrails.macro_f1_drop", macroF1Drop, in: 0...1)
            try Policy.check("guardrails.population_stability", populationStability, in: 0...100)
        }
    }

    /// Which members an admission makes obsolete: those whose removal provably costs next to nothing.
    public struct Retirement: Hashable, Sendable, Codable {
        /// Error probability of the bounds of all members tested together.
        public var alpha: Double
        /// A member's upper bound of the loss without it must stay below this share of the ensemble's loss.
        public var lossIncrease: Double
        /// Loss given up by retirements since the epoch began, at most, as a share of the ensemble's loss.
        public var totalLoss: Double
        /// Completed evaluations before a member can be retired.
        public var tenure: Int

        /// Creates the switches.
        public init(alpha: Double = 0.05, lossIncrease: Double = 0.005, totalLoss: Double = 0.01, tenure: Int = 3) {
            self.alpha = alpha
            self.lossIncrease = lossIncrease
            self.totalLoss = totalLoss
            self.tenure = tenure
        }

        enum CodingKeys: String, CodingKey, CaseIterable {
            case alpha, tenure
            case lossIncrease = "loss_increase"
            case totalLoss = "total_loss"
        }

        /// Decodes the switches; those left out take their defaults, unknown ones are refused.
        public init(from decoder: any Decoder) throws {
            let values = try SwitchReader(decoder, CodingKeys.self, of: "retirement")
            let defaults = Retirement()
            alpha = try values.read(.alpha, defaults.alpha)
            lossIncrease = try values.read(.lossIncrease, defaults.lossIncrease)
            totalLoss = try values.read(.totalLoss, defaults.totalLoss)
            tenure = try values.read(.tenure, defaults.tenure)
        }

        func validate() throws(EnsembleModelError) {
            try Policy.check("retirement.alpha", alpha, in: 1e-6...0.5)
            try Policy.check("retirement.loss_increase", lossIncrease, in: 0...1)
            try Policy.check("retirement.total_loss", totalLoss, in: 0...1)
            try Policy.check("retirement.tenure", tenure, in: 0...1000)
        }
    }
}
