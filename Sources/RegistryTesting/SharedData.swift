public import EnsembleModel
public import Foundation
import Synchronization

/// A real prediction set of `../shared/data` with the numbers that an independent implementation computed from it.
///
/// The folder stands beside the package and may be absent: such tests are `.enabled(if: SharedData.isPresent)`.
public struct SharedData: Sendable {
    /// The name of the set, e.g. `esci_us`.
    public let name: String
    /// The labelled rows, sorted by id.
    public let validation: ValidationSet
    /// The models in order of submission; all have version `1`.
    public let models: [ModelVersionID]
    /// Each model's probabilities, in row order.
    public let predictions: [ModelVersionID: Predictions]
    /// The reference numbers, `reference/golden/NAME.json`.
    public let golden: GoldenValue

    /// `../shared`, seen from the root of the package.
    public static let root = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("shared")

    /// Whether the shared folder is there.
    public static let isPresent = FileManager.default.fileExists(atPath: root.appendingPathComponent("data").path)

    /// The two sets that have reference numbers.
    public static let names = ["esci_us", "ferplus_apis"]

    private static let loaded = Mutex<[String: SharedData]>([:])

    /// Reads a set, once a process.
    public static func load(_ name: String) throws -> SharedData {
        try loaded.withLock { loaded in
            if let data = loaded[name] { return data }
            let data = try SharedData(name: name)
            loaded[name] = data
            return data
        }
    }

    /// The model version of a name as the reference numbers write it.
    public func model(_ name: String) throws -> ModelVersionID { try ModelVersionID(name: name, version: "1") }

    /// The model versions of a golden list of names.
    public func models(_ names: GoldenValue) throws -> [ModelVersionID] { try names.array.map { try model($0.string) } }

    private init(name: String) throws {
        let folder = Self.root.appendingPathComponent("data").appendingPathComponent(name)
        let classes = try Self.lines(folder.appendingPathComponent("classes.txt"))
        let rows = try Self.lines(folder.appendingPathComponent("labels.csv")).dropFirst().map { line in
            let fields = line.components(separatedBy: ",")
            guard fields.count >= 3, let label = classes.firstIndex(of: fields[1]) else {
                throw MalformedFixture("labels.csv: \(line)")
            }
            return ValidationSet.Row(
                id: fields[0], label: label, group: fields[2], slice: fields.count > 3 ? fields[3] : nil)
        }
        let validation = try ValidationSet(classes: classes, rows: rows)
        let position = Dictionary(uniqueKeysWithValues: validation.rowIDs.enumerated().map { ($1, $0) })
        let declared = try GoldenValue(contentsOf: folder.appendingPathComponent("models.json"))
        let models = try declared.array.map { try ModelVersionID(name: $0["name"].string, version: "1") }
        var predictions: [ModelVersionID: Predictions] = [:]
        for model in models {
            let file = folder.appendingPathComponent("\(model.name).csv")
            predictions[model] = try Self.predictions(file, position: position, classCount: classes.count)
        }
        self.name = name
        self.validation = validation
        self.models = models
        self.predictions = predictions
        golden = try GoldenValue(contentsOf: Self.root.appendingPathComponent("reference/golden/\(name).json"))
    }

    private static func predictions(_ file: URL, position: [String: Int], classCount: Int) throws -> Predictions {
        var values = [Float](repeating: .nan, count: position.count * classCount)
        for line in try lines(file).dropFirst() {
            let fields = line.components(separatedBy: ",")
            guard fields.count == classCount + 1, let row = position[fields[0]] else {
                throw MalformedFixture("\(file.path): \(line)")
            }
            for column in 0..<classCount {
                guard let value = Double(fields[column + 1]) else { throw MalformedFixture("\(file.path): \(line)") }
                values[row * classCount + column] = Float(value)
            }
        }
        return try Predictions(values: values, classCount: classCount)
    }

    private static func lines(_ file: URL) throws -> [String] {
        try String(decoding: Data(contentsOf: file), as: UTF8.self).components(separatedBy: "\n").filter { !$0.isEmpty }
    }
}

/// A fixture that is not what a test expects.
public struct MalformedFixture: Error, CustomStringConvertible {
    /// Where and what.
    public let description: String

    /// Creates the error.
    public init(_ description: String) { self.description = description }
}
