import EnsembleModel

/// Metadata answers of the Open Inference Protocol.
enum Metadata {
    /// `GET /v2`.
    struct Server: Encodable {
        var name = "registry-node"
        var version = ServingNode.version
        var extensions = ["binary_tensor_data"]
    }

    /// One input or output; -1 stands for any number of rows.
    struct Tensor: Encodable {
        var name: String
        var datatype: String
        var shape: [Int]
    }

    /// `GET /v2/models/{ensemble}`.
    struct Model: Encodable {
        /// What the protocol has no place for: the champion served, and the order of the classes.
        struct Parameters: Encodable {
            var generation: Int
            var sequence: Int
            var contentID: String
            var classes: [String]
            /// What the combiner sees of each member; with `probability+group` the rows of a group must come together.
            var columns: Policy.Columns
            /// Inputs that a request may leave out.
            var optionalInputs: [String]

            enum CodingKeys: String, CodingKey {
                case generation, sequence, classes, columns
                case contentID = "content_id"
                case optionalInputs = "optional_inputs"
            }
        }

        var name: String
        var versions: [String]
        var platform = "ensemble-registry"
        var inputs: [Tensor]
        var outputs: [Tensor]
        var parameters: Parameters

        init(_ ensemble: LoadedEnsemble) {
            let manifest = ensemble.manifest
            name = manifest.ensemble
            versions = ["\(manifest.sequence)"]
            inputs =
                ensemble.tensorNames.map { Tensor(name: $0, datatype: "FP32", shape: [-1, ensemble.classCount]) }
                + OptionalTensor.allCases.map { Tensor(name: $0.rawValue, datatype: "BYTES", shape: [-1]) }
            outputs = [
                Tensor(name: OutputTensor.probabilities.rawValue, datatype: "FP64", shape: [-1, ensemble.classCount]),
                Tensor(name: OutputTensor.label.rawValue, datatype: "BYTES", shape: [-1]),
                Tensor(name: OutputTensor.membersMissing.rawValue, datatype: "BYTES", shape: [-1]),
            ]
            parameters = Parameters(
                generation: manifest.generation, sequence: manifest.sequence, contentID: manifest.contentID.hex,
                classes: manifest.classes, columns: manifest.columns,
                optionalInputs: ensemble.optionalTensors.map(\.rawValue))
        }
    }
}
