import Boosting
import EnsembleModel
import Forest
import Shapley

/// A forest trained on made-up predictions of several models, the rows it was trained on, and the game of these models.
struct TrainedForest {
    let forest: Forest
    let players: Players
    /// N x D column values; some are missing, some exactly zero.
    let rows: [Double]
    let labels: [Int]

    var columnCount: Int { players.ofColumn.count }

    /// Trains a forest; the last model is the same everywhere, so no tree splits on it.
    init(models: Int, leaves: Int, rowCount: Int = 500) throws {
        let classCount = 3
        var state: UInt64 = 20_260_101
        func uniform() -> Double {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Double(state >> 11) / Double(1 << 53)
        }
        let labels = (0..<rowCount).map { _ in Int(uniform() * Double(classCount)) }
        var columns: [[Double]] = []
        for model in 0..<models {
            let skill = uniform()
            columns.append(
                labels.flatMap { label -> [Double] in
                    if model == models - 1 { return [0.2, 0.3, 0.5] }
                    if uniform() < 0.03 { return [.nan, .nan, .nan] }
                    if uniform() < 0.1 { return [0, 0, 1] }
                    let weights = (0..<classCount).map { uniform() + ($0 == label ? skill : 0) }
                    let sum = weights.reduce(0, +)
                    return weights.map { $0 / sum }
                })
        }
        var parameters = BoostingParameters.standard
        parameters.rounds = 6
        parameters.leaves = leaves
        parameters.minDataInLeaf = 5
        let fitter = try CrossFitter(
            library: .load(), labels: labels, folds: (0..<rowCount).map { $0 % 2 }, foldCount: 2,
            classCount: classCount,
            parameters: parameters)
        let ids = try (0..<models).map { try ModelVersionID("m\($0 + 10)@1") }
        for (id, values) in zip(ids, columns) { try fitter.add(id, columns: values) }
        forest = try fitter.fitAll(ids).forest
        players = try Players(count: models, columnsEach: classCount)
        rows = (0..<rowCount).flatMap { row in columns.flatMap { $0[row * classCount..<(row + 1) * classCount] } }
        self.labels = labels
    }

    /// The first rows.
    func block(_ count: Int) -> [Double] { Array(rows.prefix(count * columnCount)) }

    /// v of every coalition for every class of a row.
    func values(row: Int) -> [[Double]] {
        Oracle(forest: forest, players: players).values(Array(rows[row * columnCount..<(row + 1) * columnCount]))
    }

    /// ln p_label of every coalition of a row.
    func gains(row: Int) -> [Double] {
        Oracle(forest: forest, players: players)
            .gains(Array(rows[row * columnCount..<(row + 1) * columnCount]), label: labels[row])
    }
}
