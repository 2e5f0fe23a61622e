import EnsembleModel
import Hummingbird
import Ingest
import Logging
import NIOCore
import NIOHTTP1
import RegistryAPI
import RegistryStore

/// Answers every error as problem+json with the request's id, and logs what is the daemon's own fault.
struct ProblemMiddleware: RouterMiddleware {
    func handle(
        _ request: Request, context: RegistryRequestContext,
        next: (Request, RegistryRequestContext) async throws -> Response
    ) async throws -> Response {
        do {
            var response = try await next(request, context)
            response.headers[.requestID] = context.id
            return response
        } catch {
            var problem = Problem(describing: error)
            problem.requestID = context.id
            let metadata: Logger.Metadata = [
                "code": "\(problem.code.rawValue)", "path": "\(request.uri.path)", "error": "\(error)",
            ]
            if problem.status >= 500 {
                context.logger.error("Request failed", metadata: metadata)
            } else if problem.code == .requestInterrupted {
                // The client will not read the answer.
                context.logger.info("Request broken off", metadata: metadata)
            }
            var response = Response.problem(problem)
            response.headers[.requestID] = context.id
            return response
        }
    }
}

extension Problem {
    /// The one table from errors to problems; what it does not know is an internal error, told without its details.
    init(describing error: any Error) {
        switch error {
        case let problem as Problem: self = problem
        case let error as StoreError: self.init(ProblemCode(error.code), detail: error.message)
        case let error as IngestError:
            let faults = error.faults.map { fault in
                Fault(
                    code: fault.code.rawValue, message: fault.message, count: fault.count,
                    examples: fault.examples.map { Example(line: $0.line, id: $0.id) })
            }
            self.init(ProblemCode(error.code), detail: error.message, faults: faults.isEmpty ? nil : faults)
        case let error as EnsembleModelError:
            self.init(ProblemCode(error.code), detail: error.message)
        case let error as any HTTPResponseError where error.status == .notFound:
            self.init(.notFound, detail: "there is no such path; the API is under \(APIPath.root)")
        case let error as any HTTPResponseError where error.status == .contentTooLarge:
            self.init(.tooLarge, detail: "the body is larger than this request may have")
        case let error as any HTTPResponseError where (400..<500).contains(error.status.code):
            self.init(.badRequest, detail: "the request is malformed: HTTP status \(error.status.code)")
        case is HTTPParserError, is IOError, is ChannelError:
            self.init(.requestInterrupted, detail: "the body ended early or is malformed: send it again")
        default:
            self.init(
                .internalError, detail: "the registry failed on this request; its log says why under the request's id")
        }
    }
}

extension ProblemCode {
    init(_ code: EnsembleModelError.Code) {
        switch code {
        case .invalidPolicy: self = .invalidPolicy
        case .invalidShape, .tooFewGroups: self = .invalidUpload
        case .invalidName, .invalidDigest, .invalidCanonicalForm: self = .badRequest
        }
    }

    init(_ code: IngestError.Code) {
        switch code {
        case .refused: self = .invalidUpload
        case .tooLarge: self = .tooLarge
        case .spool: self = .internalError
        }
    }

    init(_ code: StoreError.Code) {
        switch code {
        case .ensembleNotFound: self = .ensembleNotFound
        case .modelNotFound: self = .modelNotFound
        case .notFound: self = .notFound
        case .ensembleExists: self = .ensembleExists
        case .modelVersionImmutable: self = .modelVersionImmutable
        case .notFounded: self = .notFounded
        case .alreadyFounded: self = .alreadyFounded
        case .noCandidates: self = .noCandidates
        case .idempotencyConflict: self = .idempotencyConflict
        case .ownSubmission: self = .ownSubmission
        case .conflict: self = .conflict
        case .invalidValue: self = .badRequest
        case .signingKeysMissing, .signingKeysOutdated: self = .signingUnavailable
        case .databaseUnavailable, .schemaTooNew, .schemaTooOld: self = .databaseUnavailable
        case .checksumMismatch, .leaseLost, .corrupt, .internalError:
            self = .internalError
        }
    }
}
