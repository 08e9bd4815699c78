// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {ICarbonLedger} from "./ICarbonLedger.sol";

/// @notice Accredited verifiers and what they signed: the only way to verified emissions and to offsets.
/// @dev EIP-712 domain: name "CARAT", version "1", this chain, this contract.
interface IVerification {
    /// @dev EmissionStatement(bytes32 statementId,bytes32 reportId,address entity,uint16 period,bytes32 evidenceRoot,uint256 verifiedT,bytes32 documentHash,address verifier)
    struct EmissionStatement {
        bytes32 statementId; bytes32 reportId; address entity; uint16 period;
        bytes32 evidenceRoot; uint256 verifiedT; bytes32 documentHash; address verifier;
    }
    /// @dev ReductionStatement(bytes32 statementId,uint32 projectId,uint16 vintage,uint32 batch,bytes32 evidenceRoot,uint256 baselineT,uint256 projectT,uint256 leakageT,bytes32 documentHash,address verifier)
    /// @notice Issues `baselineT - projectT - leakageT` (BE - PE - LE) to the project's developer.
    struct ReductionStatement {
        bytes32 statementId; uint32 projectId; uint16 vintage; uint32 batch;
        bytes32 evidenceRoot; uint256 baselineT; uint256 projectT; uint256 leakageT; bytes32 documentHash; address verifier;
    }

    event VerifierAccredited(address indexed verifier, uint64 until, bytes32 requestId);
    event VerifierRevoked(address indexed verifier, bytes32 requestId);
    event ConflictDeclared(address indexed verifier, address indexed entity, bytes32 requestId);
    event ReportFiled(bytes32 indexed reportId, address indexed entity, uint16 indexed period, bytes32 evidenceRoot, bytes32 documentHash, uint256 reportedT);
    event EmissionsVerified(bytes32 indexed statementId, bytes32 indexed reportId, address indexed entity, uint16 period, bytes32 evidenceRoot, uint256 verifiedT, bytes32 documentHash, address verifier);
    event ProjectRegistered(uint32 indexed projectId, address indexed developer, bytes32 documentHash, bytes32 requestId);
    event ReductionsVerified(bytes32 indexed statementId, uint32 indexed projectId, uint16 vintage, uint32 batch, bytes32 evidenceRoot, uint256 baselineT, uint256 projectT, uint256 leakageT, bytes32 documentHash, address verifier, uint256 unitId, uint256 issuedT);

    error VerificationVerifierUnaccredited(address verifier);
    /// @notice A conflict was declared, or the verifier is the entity (for a reduction: the developer) itself.
    error VerificationVerifierConflicted(address verifier, address entity);
    error VerificationSignatureInvalid(address claimed, address recovered);
    /// @notice Only firms report emissions.
    error VerificationNotAFirm(address account, ICarbonLedger.AccountKind kind);
    error VerificationReportUnknown(bytes32 reportId);
    /// @notice The statement is about other facts than the filed report.
    error VerificationStatementMismatch(bytes32 reportId, address entity, uint16 period, bytes32 evidenceRoot);
    error VerificationReportSuperseded(bytes32 reportId, bytes32 latest);
    error VerificationAlreadyVerified(address entity, uint16 period, bytes32 statementId);
    error VerificationProjectUnknown(uint32 projectId);
    error VerificationProjectExists(uint32 projectId, address developer);
    error VerificationNoReduction(uint256 baselineT, uint256 projectT, uint256 leakageT);
    error VerificationBatchIssued(uint256 unitId);
    /// @notice Each statement needs its signature: the counts differ.
    error VerificationSignatureMissing(uint256 statements, uint256 signatures);

    function accredit(address verifier, uint64 until, bytes32 requestId) external;
    function revoke(address verifier, bytes32 requestId) external;
    function declareConflict(address verifier, address entity, bytes32 requestId) external;
    /// @notice The emission report of the caller, a firm, for a published period. A later report replaces an unverified one.
    ///         `reportId` is the request id.
    function fileReport(bytes32 reportId, uint16 period, bytes32 evidenceRoot, bytes32 documentHash, uint256 reportedT) external;
    /// @notice Anyone may bring signed statements; signature i belongs to statement i. All or none.
    function acceptEmissionStatements(EmissionStatement[] calldata statements, bytes[] calldata signatures) external;
    function registerProject(uint32 projectId, address developer, bytes32 documentHash, bytes32 requestId) external;
    function acceptReductionStatement(ReductionStatement calldata statement, bytes calldata signature) external;
    /// @notice Is the verifier accredited at this block's time? `until` is the last second of an accreditation.
    function isAccredited(address verifier) external view returns (bool);
    /// @notice May the verifier not verify this entity? Nobody verifies itself.
    function isConflicted(address verifier, address entity) external view returns (bool);
    /// @return reportId The report that a statement must be about; 0 for none.
    function latestReportOf(address entity, uint16 period) external view returns (bytes32 reportId);
    /// @return statementId The accepted statement; 0 for none.
    function statementOf(address entity, uint16 period) external view returns (bytes32 statementId);
    function developerOf(uint32 projectId) external view returns (address);
}
