variable "cloud_id" {
  type = string
}

variable "folder_id" {
  type = string
}

variable "zone" {
  type    = string
  default = "ru-central1-a"
}

variable "ssh_public_key" {
  type        = string
  description = "Text of the public key that may log in as ubuntu"
}

variable "admin_cidrs" {
  type        = list(string)
  description = "Addresses that SSH is open to, as CIDR blocks"
}

variable "backup_bucket" {
  type        = string
  description = "Name of the bucket for dumps; unique in the whole cloud"
}

# The size that deploy/bills.yaml prices and tests/deploy compares.
variable "vcpu" {
  type    = number
  default = 2
}

variable "vcpu_share" {
  type    = number
  default = 100
}

variable "ram_gib" {
  type    = number
  default = 8
}

variable "disk_gib" {
  type    = number
  default = 40
}
